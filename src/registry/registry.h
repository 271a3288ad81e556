// The functions of this daemon: immutable versions, aliases, traffic. Kept in SQLite, published as snapshots.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "registry/error.h"
#include "registry/function.h"
#include "registry/layers.h"
#include "registry/platform.h"
#include "registry/source_store.h"
#include "store/database.h"

namespace mayfly::registry {

struct RegistryOptions {
  std::filesystem::path data;    ///< the data folder; mayfly.db and sources/ are made in it
  const Clock* clock = nullptr;  ///< must outlive the registry; null: the system's
  std::string vfs{};             ///< for tests: SQLite's access to files
};

/// To which version a rollback goes that names none: the newest below the newest that has traffic. Error
/// unknown_version: there is none.
[[nodiscard]] Result<std::uint32_t> version_before(const Function& function);

/// All functions. Lives on the control thread, all calls there; a snapshot may go to any thread.
///
/// Every change is committed before it is published, and an error means that nothing changed. Numbers of
/// versions are never used again, not after the version and not after the function was deleted: a
/// function deployed anew under an old name goes on counting, so `name@3` in a log or an alias elsewhere
/// never means two things.
class Registry {
 public:
  /// Opens (or creates) the data folder, loads everything, and removes sources that no version refers
  /// to: what a crash in the middle of a deploy left.
  [[nodiscard]] static Result<std::unique_ptr<Registry>> open(const RegistryOptions& options);

  /// Publishes every function now, and each change from now on. `platform` must outlive the registry.
  void attach(Platform& platform);

  /// Null if there is none.
  [[nodiscard]] FunctionPtr find(std::string_view name) const;
  /// As find(), with an error that says which name may have been meant.
  [[nodiscard]] Result<FunctionPtr> get(std::string_view name) const;
  /// By name, sorted.
  [[nodiscard]] std::vector<FunctionPtr> list() const;
  /// `reference`: a number, an alias, or "" for the version with the most traffic.
  [[nodiscard]] Result<VersionPtr> version(std::string_view name, std::string_view reference) const;

  /// The number that the next version of this function gets.
  [[nodiscard]] std::uint32_t next_number(std::string_view name) const;
  /// Adds a version, whose number must be next_number(). It gets all traffic unless `keep_traffic` is set
  /// and the function has traffic already.
  /// `origin`: where it was deployed from, for people; "" if they did not say.
  [[nodiscard]] Result<FunctionPtr> add(const VersionPtr& version, bool keep_traffic,
                                        const std::string& origin = {});
  /// Where the newest version of a function was deployed from, "" if that is not known.
  [[nodiscard]] std::string origin(std::string_view name) const;

  /// All traffic to `number`. Whether it lets in more callers is not looked at, here and in the next two:
  /// that is access/opening.h.
  [[nodiscard]] Result<FunctionPtr> rollback(std::string_view name, std::uint32_t number);
  /// Weights of 0 are dropped; at least one must be left. Weights are at most 1,000,000.
  [[nodiscard]] Result<FunctionPtr> set_traffic(std::string_view name, Traffic traffic);
  [[nodiscard]] Result<FunctionPtr> set_alias(std::string_view name, const std::string& alias,
                                              std::uint32_t number);
  [[nodiscard]] Result<FunctionPtr> remove_alias(std::string_view name, const std::string& alias);
  /// Refused (version_in_use) while it has traffic or an alias.
  [[nodiscard]] Result<FunctionPtr> remove_version(std::string_view name, std::uint32_t number);
  [[nodiscard]] Result<void> remove(std::string_view name);

  /// Takes out the sources and layers of versions that are deleted and that nobody holds any more: templates
  /// and instances of a deleted version may still load files. Cheap when there are none; call now and then.
  /// To drop what it returns is not cheap, and may be done on any thread.
  std::vector<SourceStore::Trash> collect();
  /// Removes a source that a deploy which failed has left, unless a version or another deploy uses it. Its
  /// layers stay for some minutes: what failed is mostly mended and tried again.
  void discard(const std::string& source, const std::vector<std::filesystem::path>& layers = {});

  [[nodiscard]] SourceStore& sources() { return sources_; }
  [[nodiscard]] const LayerStore& layers() const { return layers_; }
  [[nodiscard]] const Clock& clock() const { return *clock_; }

 private:
  struct Entry {
    FunctionPtr function;  ///< null: deleted, only its counter is kept
    std::uint32_t next = 1;
    std::string origin{};
  };
  struct Retired {
    std::weak_ptr<const Version> version;
    std::string source;
    std::vector<std::filesystem::path> layers;
  };

  Registry(store::Database database, SourceStore sources, LayerStore layers, const Clock& clock)
      : database_(std::move(database)),
        sources_(std::move(sources)),
        layers_(std::move(layers)),
        clock_(&clock) {}
  [[nodiscard]] Result<void> load();
  [[nodiscard]] Result<void> load_versions(std::map<std::string, Function>& functions);
  [[nodiscard]] Result<void> load_traffic(std::map<std::string, Function>& functions);
  [[nodiscard]] Result<void> insert(const Version& version, const std::string& origin);
  [[nodiscard]] Result<void> write_traffic(const std::string& name, const Traffic& traffic);
  [[nodiscard]] Result<FunctionPtr> change_traffic(const Function& function, Traffic traffic);
  /// Takes a changed function into service.
  FunctionPtr put(Function function);
  void retire(const VersionPtr& version);
  [[nodiscard]] bool uses_source(const std::string& source) const;
  [[nodiscard]] std::set<std::string> used_layers() const;

  store::Database database_;
  SourceStore sources_;
  LayerStore layers_;
  const Clock* clock_;
  Platform* platform_ = nullptr;
  std::map<std::string, Entry, std::less<>> entries_;
  std::vector<Retired> retired_;
  std::map<std::string, MonotonicTime> loose_layers_;  ///< of deploys that failed: until when they are kept
};

}  // namespace mayfly::registry
