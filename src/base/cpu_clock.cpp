#include "base/cpu_clock.h"

#include <ctime>

namespace mayfly {

std::optional<nanoseconds> cpu_time_of(pid_t pid) {
  if (pid <= 0) return std::nullopt;
  // As clock_getcpuclockid() makes it, which would ask the kernel first whether there is such a process.
  constexpr int kProcessSchedClock = 2;
  const auto clock = static_cast<clockid_t>((~static_cast<unsigned>(pid) << 3U) | kProcessSchedClock);
  timespec time{};
  if (::clock_gettime(clock, &time) != 0) return std::nullopt;
  return std::chrono::seconds(time.tv_sec) + nanoseconds(time.tv_nsec);
}

}  // namespace mayfly
