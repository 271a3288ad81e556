// Files in a folder that somebody else has filled: other people's code, in a build. Whatever was put there,
// no path leads out of it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace mayfly {

/// Paths are relative to the folder. A symbolic link anywhere on one, also as its last part, is an error
/// (ELOOP), as are absolute paths and those that lead upwards (EXDEV): openat2(2) with RESOLVE_BENEATH and
/// RESOLVE_NO_SYMLINKS. Other errors: errno. Move-only; any thread.
class GuardedFolder {
 public:
  /// `folder` itself is trusted; the last part of its path is no link.
  [[nodiscard]] static Result<GuardedFolder> open(const std::filesystem::path& folder);

  /// A regular file, for reading; EINVAL if it is something else (a pipe, a device, a folder).
  [[nodiscard]] Result<Fd> open_file(const std::filesystem::path& file) const;
  /// The content of a regular file; EFBIG if it is longer.
  [[nodiscard]] Result<std::string> read(const std::filesystem::path& file,
                                         std::uint64_t max_bytes = 64ULL << 20U) const;
  /// All regular files below a folder ("" is this one), sorted. What is no file or folder is passed over.
  [[nodiscard]] Result<std::vector<std::filesystem::path>> files(
      const std::filesystem::path& folder = {}) const;

  /// Makes a folder, and those on the way to it.
  [[nodiscard]] Result<void> make_folder(const std::filesystem::path& folder) const;
  /// Writes a new file; what has its name is removed before. Its folder is made.
  [[nodiscard]] Result<void> write(const std::filesystem::path& file, std::string_view text) const;
  /// The same with the content of `from`, from where that stands.
  [[nodiscard]] Result<void> copy(const Fd& from, const std::filesystem::path& file, mode_t mode) const;
  /// Removes a file, a link, or a folder with all that is in it; nothing if it is not there.
  [[nodiscard]] Result<void> remove(const std::filesystem::path& path) const;

 private:
  explicit GuardedFolder(Fd folder) : folder_(std::move(folder)) {}
  [[nodiscard]] Result<Fd> open_inside(const std::filesystem::path& path, std::uint64_t flags) const;
  [[nodiscard]] Result<Fd> create(const std::filesystem::path& file, mode_t mode) const;

  Fd folder_;
};

}  // namespace mayfly
