// Paths and folders.
#pragma once

#include <algorithm>
#include <filesystem>

namespace mayfly {

/// Whether a path is this folder or lies in it, by the words of both: links are not followed.
[[nodiscard]] inline bool is_inside(const std::filesystem::path& path, const std::filesystem::path& folder) {
  return std::ranges::mismatch(folder, path).in1 == folder.end();
}

}  // namespace mayfly
