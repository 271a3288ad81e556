#include "base/clock_jumps.h"

#include <gtest/gtest.h>

#include "base/standing_clock_test_support.h"

namespace mayfly {
namespace {

using namespace std::chrono_literals;

TEST(ClockJumps, ForATimeAfterAJumpForwardTheClockIsDoubted) {
  StandingClock clock;
  ClockJumps jumps;
  clock.jump(100h);
  EXPECT_FALSE(jumps.is_doubtful(clock)) << "nothing to compare with";
  clock.advance(1000h);
  EXPECT_FALSE(jumps.is_doubtful(clock));
  clock.jump(59min);
  EXPECT_FALSE(jumps.is_doubtful(clock));
  clock.jump(-500h);
  EXPECT_FALSE(jumps.is_doubtful(clock)) << "nothing becomes old by that";
  clock.jump(61min);
  EXPECT_TRUE(jumps.is_doubtful(clock));
  clock.advance(59min);
  EXPECT_TRUE(jumps.is_doubtful(clock));
  clock.advance(1min);
  EXPECT_FALSE(jumps.is_doubtful(clock));
}

}  // namespace
}  // namespace mayfly
