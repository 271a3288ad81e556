// Files that are only in memory (memfd_create(2)): handed on as descriptors, never on a disk.
#pragma once

#include <string>
#include <string_view>

#include "base/fd.h"

namespace mayfly {

/// A file with this content that nobody can change any more (F_SEAL_WRITE), open for reading only. `name` is
/// what /proc shows. Each open of /proc/self/fd/N has a position of its own.
[[nodiscard]] Result<Fd> sealed_file(const char* name, std::string_view content);

/// All that a file holds, whatever its position.
[[nodiscard]] Result<std::string> read_all(int file);

}  // namespace mayfly
