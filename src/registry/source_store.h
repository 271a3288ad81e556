// The code of all versions on disk: DIR/sources/<sha256 of the content>/…, read-only, shared by versions
// with the same content.
#pragma once

#include <filesystem>
#include <memory>
#include <set>
#include <string>

#include "base/result.h"
#include "base/temp_folder.h"

namespace mayfly::registry {

/// sha256 (hex) of a folder's content: paths, kinds, executable bits, bytes, targets of links; not times,
/// owners or other modes.
[[nodiscard]] Result<std::string> digest_of(const std::filesystem::path& folder);

/// Content-addressed folders. Every function may be called from any thread; calls for the same digest
/// are the caller's to serialise with remove().
class SourceStore {
 public:
  /// Makes DIR/sources and DIR/staging. What is in DIR/staging is removed: nobody else uses it.
  [[nodiscard]] static Result<SourceStore> open(const std::filesystem::path& data);

  /// An empty folder on the same file system, removed with its owner.
  [[nodiscard]] Result<TempFolder> stage() const;

  /// Takes the content of `folder` (inside one given by stage()) over: seals it read-only and renames it
  /// to its address, atomically. If the content is there already, that one stays. Gives the digest. Not
  /// yet synced: see sync().
  [[nodiscard]] Result<std::string> take(const std::filesystem::path& folder) const;

  /// Makes a content survive a power cut. Blocks for as long as the disk takes.
  [[nodiscard]] Result<void> sync(const std::string& digest) const;

  [[nodiscard]] std::filesystem::path path(const std::string& digest) const { return sources_ / digest; }
  [[nodiscard]] bool contains(const std::string& digest) const;

  /// Removes one content; nothing happens if it is not there.
  void remove(const std::string& digest) const;
  /// Removes all contents but these.
  void retain(const std::set<std::string>& digests) const;

 private:
  explicit SourceStore(const std::filesystem::path& data)
      : sources_(data / "sources"), staging_(data / "staging") {}

  std::filesystem::path sources_;
  std::filesystem::path staging_;
};

}  // namespace mayfly::registry
