// Landlock (landlock(7)): a second wall around an instance, in case one of its mounts is not what it should
// be, and a wall between instances of one function, which share a user and a PID namespace.
#pragma once

namespace mayfly::sandbox {

/// The version of the kernel's Landlock; 0: it has none.
[[nodiscard]] int landlock_version() noexcept;

/// From now on this process and all it starts write nowhere but in /tmp, /dev and /proc, trace only each
/// other, and (since version 6, Linux 6.12) signal only each other and connect to no abstract socket of
/// others. Needs no_new_privs. The step that failed (errno is set), or null; also null where the kernel has
/// no Landlock. No mount can be changed afterwards.
[[nodiscard]] const char* enter_landlock() noexcept;

/// The part of it for a template, whose forks still change mounts: it signals and traces nobody but its
/// forks, and connects to no abstract socket of others (since version 6). Needs no_new_privs. As above.
[[nodiscard]] const char* enter_landlock_of_template() noexcept;

}  // namespace mayfly::sandbox
