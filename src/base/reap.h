// Reaping children without threads, for processes that fork (fork servers). A daemon with threads
// uses Child instead.
#pragma once

#include <sys/types.h>

#include <optional>

namespace mayfly {

struct Reaped {
  pid_t pid = 0;
  int wait_status = 0;  ///< as wait(2) gives it
};

/// The next child that has ended, or nothing if none has. Never waits.
[[nodiscard]] std::optional<Reaped> reap_any_child();

}  // namespace mayfly
