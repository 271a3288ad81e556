// A folder as an archive, in memory.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace mayfly::cli {

struct Package {
  std::string bytes;  ///< tar.gz
  std::size_t files = 0;
};

/// Packs what is in `folder`, but .git, .hg, .svn, Python's caches and virtual environments, what
/// .mayflyignore names, or, if there is no such file, what .gitignore names. The latter never leaves out what
/// a path of `wanted` needs (relative to the folder), nor the folders of packages vendor, wheels and
/// node_modules: all are often not in git and always part of what runs. Symbolic links stay links.
///
/// node_modules is left out where a lock file of npm lies beside it: the daemon installs what that names, for
/// its own machine. `vendored` takes it along.
[[nodiscard]] Result<Package> pack(const std::filesystem::path& folder,
                                   const std::vector<std::string>& wanted, bool vendored = false);

/// The relative paths that pack() takes, folders left out, sorted.
[[nodiscard]] std::vector<std::string> files_to_pack(const std::filesystem::path& folder,
                                                     const std::vector<std::string>& wanted,
                                                     bool vendored = false);

}  // namespace mayfly::cli
