// A dataset in this process's memory.
#pragma once

#include <cstddef>
#include <span>

#include "base/fd.h"
#include "base/result.h"

namespace mayfly::bridge {

enum class DatasetAccess {
  read,     ///< a write ends the process (SIGSEGV)
  own_copy  ///< what is written is a copy of that page, of this process and what it forks from then on
};

/// Maps the first `size` bytes of a dataset's file, a memfd that cannot shrink (F_SEAL_SHRINK), and closes
/// the descriptor: the mapping stays for as long as the process lives. It begins at a multiple of 2 MiB, so
/// that huge pages of the file are mapped as such. Nothing is read and no page is touched; forks share the
/// mapping, and copy none of its page tables unless the forking process has written to it. Size 0: an empty
/// span, and nothing is mapped.
///
/// Errors (std::generic_category, the system's own): no such descriptor, a file that may shrink or is smaller
/// than `size` (either could end a reader by SIGBUS), no address space left.
[[nodiscard]] Result<std::span<std::byte>> map_dataset(Fd file, std::size_t size, DatasetAccess access);

}  // namespace mayfly::bridge
