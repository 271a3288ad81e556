// System calls that end who makes them, with their names as its last words. Used in the daemon, to make the
// filter, and in the runtimes, to say what was called.
#pragma once

#include <span>

namespace mayfly::sandbox {

struct ForbiddenCall {
  const char* name;
  int number;
};

/// On this architecture.
[[nodiscard]] std::span<const ForbiddenCall> forbidden_calls() noexcept;

/// Whether this kernel has filters that can do what ours does.
[[nodiscard]] bool has_filters() noexcept;

/// Installs a program that make_filter() has made, for this process and all below it, for ever; and a handler
/// that says "forbidden system call: NAME" on descriptor 2 before the process dies of SIGSYS. A process that
/// replaces the handler, or another program that it executes, dies without the words or lives without the
/// call. Needs no_new_privs. The step that failed (errno is set), or null. Async-signal-safe.
[[nodiscard]] const char* install_filter(int program) noexcept;

}  // namespace mayfly::sandbox
