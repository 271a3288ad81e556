// A /tmp for each instance: a tmpfs that the daemon makes, and that a fork mounts in a mount namespace of its
// own.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "base/fd.h"

namespace mayfly::sandbox {

/// A new and empty tmpfs of `size` bytes that is mounted nowhere (fsopen(2), fsmount(2)); it goes with its
/// last descriptor, or with the last process that has it mounted. Needs rights over the caller's mount
/// namespace.
[[nodiscard]] Result<Fd> make_temporary(std::uint64_t size);

/// In a new fork of a template, before it serves: a mount namespace of its own, in which /tmp is `temporary`,
/// with what the template had left in its own /tmp. Needs CAP_SYS_ADMIN in the process's user namespace, and
/// no memory. The step that failed (errno is set), or null.
///
/// Makes no system call that a filter on plain numbers could not tell from other uses (syscall_filter.h):
/// descriptors instead of paths.
[[nodiscard]] const char* mount_own_temporary(int temporary) noexcept;

/// Mounts it at /tmp of the mount namespace that the process is in already.
[[nodiscard]] const char* mount_temporary(int temporary) noexcept;

}  // namespace mayfly::sandbox
