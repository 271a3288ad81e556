// The code of all versions on disk: DIR/sources/<sha256 of the content>/…, read-only, shared by versions
// with the same content.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/temp_folder.h"

namespace mayfly::registry {

/// sha256 (hex) of a folder's content: paths, kinds, executable bits, bytes, targets of links; not times,
/// owners or other modes.
[[nodiscard]] Result<std::string> digest_of(const std::filesystem::path& folder);
/// sha256 (hex) of a text.
[[nodiscard]] std::string digest_of_text(std::string_view text);

/// Content-addressed folders. Copies are the same store; every function may be called from any thread.
class SourceStore {
  struct State;

 public:
  /// Keeps one content from being removed while no row of the database refers to it yet. Move-only.
  class Pin {
   public:
    Pin() = default;
    Pin(Pin&&) noexcept = default;
    Pin& operator=(Pin&& other) noexcept;
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;
    ~Pin() { release(); }
    [[nodiscard]] const std::string& digest() const { return digest_; }

   private:
    friend class SourceStore;
    Pin(std::shared_ptr<State> state, std::string digest)
        : state_(std::move(state)), digest_(std::move(digest)) {}
    void release() noexcept;

    std::shared_ptr<State> state_;
    std::string digest_;
  };

  /// What has been taken out of the store and waits to be removed from the disk, which may take a while: its
  /// destructor does it, on whatever thread it is called.
  using Trash = TempFolder;

  /// Makes DIR/sources and DIR/staging. What is in DIR/staging is removed: nobody else uses it.
  [[nodiscard]] static Result<SourceStore> open(const std::filesystem::path& data);
  /// A second store, DIR/<name>, that shares the folder for staging.
  [[nodiscard]] Result<SourceStore> beside(const std::string& name) const;

  /// An empty folder on the same file system, removed with its owner.
  [[nodiscard]] Result<TempFolder> stage() const;

  /// Takes the content of `folder` (one given by stage(), or inside it) over: seals it read-only and
  /// renames it to its address, atomically. If the content is there already, that one stays. Not yet
  /// synced: see sync().
  [[nodiscard]] Result<Pin> take(const std::filesystem::path& folder) const;
  /// The same for a content whose address is not the digest of its bytes, but of what they were made from.
  [[nodiscard]] Result<Pin> take(const std::filesystem::path& folder, std::string digest) const;
  /// Keeps a content that is there already; nothing if it is not.
  [[nodiscard]] std::optional<Pin> pin(const std::string& digest) const;

  /// Makes a content survive a power cut. Blocks for as long as the disk takes.
  [[nodiscard]] Result<void> sync(const std::string& digest) const;
  /// For tests: from now on sync() asks this, on whichever thread it is called, and touches no disk.
  void replace_sync(std::function<Result<void>(const std::string& digest)> sync) const;

  [[nodiscard]] std::filesystem::path path(const std::string& digest) const;
  [[nodiscard]] bool contains(const std::string& digest) const;
  [[nodiscard]] std::filesystem::path data() const;

  /// Takes one content out unless it is pinned; nothing if it is.
  [[nodiscard]] std::optional<Trash> take_out(const std::string& digest) const;
  /// The same, and removes it; false if it is pinned.
  bool remove(const std::string& digest) const { return take_out(digest).has_value(); }
  /// Takes out all contents but these and the pinned ones.
  std::vector<Trash> retain(const std::set<std::string>& digests) const;

 private:
  explicit SourceStore(std::shared_ptr<State> state) : state_(std::move(state)) {}

  std::shared_ptr<State> state_;
};

}  // namespace mayfly::registry
