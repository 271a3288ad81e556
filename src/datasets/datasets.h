// The datasets of a daemon: named read-only data, loaded once into memory and mapped by every instance that
// lists it.
#pragma once

#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "datasets/error.h"
#include "datasets/generation.h"
#include "store/database.h"

namespace mayfly::datasets {

inline constexpr std::size_t kMaxDatasets = 1'000;

struct DatasetsOptions {
  std::filesystem::path data;    ///< the data folder: mayfly.db, and datasets/ with what was uploaded
  std::uint64_t budget = 0;      ///< bytes that all may use together, while they are loaded anew, too
  const Clock* clock = nullptr;  ///< must outlive the datasets; null: the system's
};

/// How a dataset is made, and made again.
struct Definition {
  Patterns from{};                     ///< empty: it was uploaded, and its content is kept in the data folder
  std::chrono::milliseconds every{0};  ///< loaded again so often, at least 1 s; 0: not by time
  bool watch = false;                  ///< loaded again when its files have changed (looked at every second)
  [[nodiscard]] bool uploaded() const { return from.empty(); }
  bool operator==(const Definition&) const = default;
};

struct Dataset {
  std::string name;
  Definition definition{};
  GenerationPtr current{};         ///< null: it could not be loaded since the daemon started
  std::optional<Error> failure{};  ///< of the last attempt to load it
  WallTime created{};
  bool loading = false;    ///< until those that list it have it
  MonotonicTime looked{};  ///< when its sources were looked at last
};

/// What load() needs, taken on the control thread and used on another.
struct Order {
  std::string name;
  Definition definition{};
  std::filesystem::path upload{};  ///< what was uploaded, if it was
  std::string unless{};            ///< nothing is loaded if the sources' fingerprint is this one still
};

/// Lives on the control thread; current() may be called from any. The definition of a dataset is committed
/// when its first generation stands, and never before. Each generation is built beside the one in use; where
/// that fails, nothing changes but Dataset::failure.
class Datasets {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Datasets>> open(const DatasetsOptions& options);

  /// Loads everything that is defined, at start. Takes as long as reading it takes.
  void load_all();

  /// Begins to make a dataset, or to make it anew from another source. Until finish(), nobody else can.
  /// `upload`: a file with its content, in the place of Definition::from; it is moved into the data folder by
  /// finish(). Errors: bad_name, bad_source, too_many, busy.
  [[nodiscard]] Result<Order> begin(const std::string& name, Definition definition,
                                    const std::filesystem::path& upload = {});
  /// The same for what is defined already. Errors: unknown_dataset, busy.
  [[nodiscard]] Result<Order> begin_again(const std::string& name);
  /// Reads the sources: on any thread but one that must not wait, several at once if need be. Null: they have
  /// not changed.
  [[nodiscard]] Result<std::shared_ptr<Generation>> load(const Order& order);
  /// What load() has given for the order: is it a generation, it is in use from now on. Errors are those of
  /// load() and of the database.
  [[nodiscard]] Result<Dataset> finish(const Order& order, Result<std::shared_ptr<Generation>> loaded);
  /// Those that list it have the generation that finish() was given: only now the next can be begun.
  void settle(const std::string& name);
  /// What is being loaded is given up. Any thread.
  void stop() { stopping_ = true; }
  [[nodiscard]] Result<void> remove(const std::string& name);

  /// By name, sorted.
  [[nodiscard]] std::vector<Dataset> list() const;
  /// An error unknown_dataset says which may have been meant.
  [[nodiscard]] Result<Dataset> get(std::string_view name) const;
  /// Those whose time has come to be looked at again (Definition::every and ::watch), as begun orders.
  [[nodiscard]] std::vector<Order> due(MonotonicTime now);
  /// When the next one is due; nothing: none ever is.
  [[nodiscard]] std::optional<MonotonicTime> next_look() const;
  [[nodiscard]] std::uint64_t used() const;  ///< bytes of all current generations
  [[nodiscard]] std::uint64_t budget() const { return options_.budget; }

  /// Any thread. Errors: unknown_dataset, not_loaded.
  [[nodiscard]] Result<GenerationPtr> current(std::string_view name) const;

 private:
  Datasets(store::Database database, const DatasetsOptions& options);
  [[nodiscard]] Result<void> read();
  [[nodiscard]] std::unexpected<Error> unknown(std::string_view name) const;
  [[nodiscard]] std::filesystem::path upload_of(const std::string& name) const;
  [[nodiscard]] Order order_of(const Dataset& dataset) const;
  [[nodiscard]] Result<void> commit(const Order& order, const Dataset& dataset);

  store::Database database_;
  DatasetsOptions options_;
  const Clock& clock_;
  /// Bytes that are left for another generation.
  [[nodiscard]] std::uint64_t room() const;

  std::atomic<bool> stopping_ = false;
  /// Changed on the control thread only, with the lock held; other threads read with it held.
  mutable std::mutex mutex_;
  std::map<std::string, Dataset, std::less<>> datasets_;
  std::uint64_t loaded_ = 0;  ///< bytes of what load() has given and finish() has not had; with the lock
  std::set<std::string, std::less<>> beginning_;  ///< that are not defined yet
};

}  // namespace mayfly::datasets
