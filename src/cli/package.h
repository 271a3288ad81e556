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

/// Packs what is in `folder`, but .git, .hg, .svn, what .mayflyignore names, or, if there is no such file,
/// what .gitignore names. The latter never leaves out node_modules, nor what a path of `wanted` needs
/// (relative to the folder): both are often not in git and always part of what runs. Symbolic links stay
/// links.
[[nodiscard]] Result<Package> pack(const std::filesystem::path& folder,
                                   const std::vector<std::string>& wanted);

/// The relative paths that pack() takes, folders left out, sorted.
[[nodiscard]] std::vector<std::string> files_to_pack(const std::filesystem::path& folder,
                                                     const std::vector<std::string>& wanted);

}  // namespace mayfly::cli
