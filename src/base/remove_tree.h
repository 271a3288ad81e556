// Removing a folder that other people's code has filled.
#pragma once

#include <filesystem>

#include "base/result.h"

namespace mayfly {

/// Removes a folder with all that is in it, or a file or link; nothing if it is not there. However deep and
/// wide it is, this takes two descriptors and no memory that grows: it goes down into what is not empty and
/// up by ".." (std::filesystem::remove_all holds a descriptor for each level). Links are not followed.
/// Folders that their owner may not write to (mode 0555) are removed as well.
///
/// Nobody else may change it meanwhile: what moves is at worst not removed. The first thing that cannot be
/// removed ends it. Errors: errno. Any thread; takes as long as there are files.
[[nodiscard]] Result<void> remove_tree(const std::filesystem::path& path);

}  // namespace mayfly
