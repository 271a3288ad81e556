// Users and user namespaces (user_namespaces(7)).
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace mayfly::sandbox {

/// The calling process, which has one thread, becomes another user and its group, with no other groups, and
/// keeps its capabilities. By the system calls themselves: the C library would look for threads that a fork
/// does not have. False if anything of it failed (errno).
[[nodiscard]] bool become_user(uid_t user) noexcept;

/// Enters a new user namespace, and with it `others` (CLONE_NEWNS, CLONE_NEWIPC, …), in which the caller's
/// effective user and group are known as `inside` and no other is known. All rights there. One thread. The
/// step that failed (errno is set), or null.
[[nodiscard]] const char* enter_user_namespace(uid_t inside, int others) noexcept;

}  // namespace mayfly::sandbox
