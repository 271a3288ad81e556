// CPU time of another process.
#pragma once

#include <sys/types.h>

#include <optional>

#include "base/clock.h"

namespace mayfly {

/// What a process has used until now, user and system, all threads, without its children: to the nanosecond,
/// what runs just now included (clock_getcpuclockid(3)). One system call that takes no lock which the process
/// could hold. Nothing: there is no such process. Any thread.
[[nodiscard]] std::optional<nanoseconds> cpu_time_of(pid_t pid);

}  // namespace mayfly
