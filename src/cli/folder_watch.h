// Waiting until files are saved, with inotify(7).
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "base/fd.h"

namespace mayfly::cli {

/// Watches a folder with all below it but node_modules and hidden folders, or a single file (its folder, so
/// that an editor may replace it by renaming). Backup and swap files of editors do not count.
class FolderWatch {
 public:
  [[nodiscard]] static Result<FolderWatch> open(const std::filesystem::path& path);

  /// Readable when something may have changed.
  [[nodiscard]] int fd() const { return inotify_.get(); }
  /// Reads what has happened; whether any of it counts.
  [[nodiscard]] bool changed();
  /// Comes back when nothing has happened for `quiet`, at the latest after ten times that.
  void settle(std::chrono::milliseconds quiet);

 private:
  FolderWatch(Fd inotify, std::optional<std::string> only)
      : inotify_(std::move(inotify)), only_(std::move(only)) {}
  void add(const std::filesystem::path& folder);
  [[nodiscard]] bool counts(const std::string& name) const;

  Fd inotify_;
  std::optional<std::string> only_;  ///< the one file that counts
  std::map<int, std::filesystem::path> folders_;
};

}  // namespace mayfly::cli
