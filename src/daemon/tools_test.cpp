#include "daemon/tools.h"

#include <gtest/gtest.h>

namespace mayfly::daemon {
namespace {

TEST(LookedFor, WhatIsMissingIsLookedForAgainNowAndThen) {
  ManualClock clock;
  int looks = 0;
  bool installed = false;
  LookedFor looked_for(
      [&]() -> Result<Interpreter> {
        ++looks;
        if (!installed)
          return fail(std::make_error_code(std::errc::no_such_file_or_directory), "not installed");
        return Interpreter{"/usr/bin/python3", "3.11.2"};
      },
      clock);
  EXPECT_EQ(looks, 0) << "at first use";
  EXPECT_FALSE(looked_for.get());
  installed = true;
  clock.advance(LookedFor::kLookAgain - std::chrono::milliseconds(1));
  EXPECT_FALSE(looked_for.get());
  EXPECT_EQ(looks, 1) << "not at every call";
  clock.advance(std::chrono::milliseconds(1));
  ASSERT_TRUE(looked_for.get());
  EXPECT_EQ(looked_for.get()->version, "3.11.2");
  clock.advance(std::chrono::hours(1));
  installed = false;
  EXPECT_TRUE(looked_for.get()) << "what was found stays";
  EXPECT_EQ(looks, 2);
}

}  // namespace
}  // namespace mayfly::daemon
