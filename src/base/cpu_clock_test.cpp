#include "base/cpu_clock.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/reap.h"

namespace mayfly {
namespace {

nanoseconds own_cpu_time() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + nanoseconds(time.tv_nsec);
}

TEST(CpuClock, IsWhatTheProcessItselfIsTold) {
  const auto before = own_cpu_time();
  const auto read = cpu_time_of(::getpid());
  const auto after = own_cpu_time();
  ASSERT_TRUE(read);
  EXPECT_GE(*read, before);
  EXPECT_LE(*read, after);
}

TEST(CpuClock, OfAnotherProcessGrowsWithWhatItComputes) {
  const pid_t child = ::fork();
  if (child == 0)
    for (;;) (void)::getppid();
  const auto first = cpu_time_of(child);
  ASSERT_TRUE(first);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  auto later = first;
  while (*later - *first < milliseconds(5) && std::chrono::steady_clock::now() < deadline)
    later = cpu_time_of(child);
  EXPECT_GE(*later - *first, milliseconds(5));
  end_child(child);
  EXPECT_FALSE(cpu_time_of(child)) << "it is reaped";
}

TEST(CpuClock, ThereIsNoneOfNoProcess) {
  EXPECT_FALSE(cpu_time_of(0));
  EXPECT_FALSE(cpu_time_of(-1));
}

}  // namespace
}  // namespace mayfly
