#include "pool/hold_back.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace mayfly::pool {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

struct HoldBackTest : testing::Test {
  void pass(seconds time) { wheel.advance(now += time + DeadlineWheel::kTick); }

  MonotonicTime now = std::chrono::steady_clock::now();
  DeadlineWheel wheel{now};
  std::vector<bool> set;
  HoldBack hold_back{wheel, [this](bool on) { set.push_back(on); }};
};

TEST_F(HoldBackTest, WhatIsEndedFromTimeToTimeIsNotHeldBack) {
  for (int i = 0; i < 3; ++i) {
    hold_back.note_excess(now);
    pass(HoldBack::kMemory);
  }
  EXPECT_THAT(set, IsEmpty());
}

TEST_F(HoldBackTest, ItLastsUntilNoneWasEndedForSomeTime) {
  hold_back.note_excess(now);
  for (int i = 0; i < 5; ++i) {
    pass(seconds(8));
    hold_back.note_excess(now);
    EXPECT_TRUE(hold_back.held_back());
  }
  EXPECT_THAT(set, ElementsAre(true));
  pass(HoldBack::kMemory);
  EXPECT_THAT(set, ElementsAre(true, false));
  EXPECT_FALSE(hold_back.held_back());
  hold_back.note_excess(now);
  EXPECT_FALSE(hold_back.held_back()) << "it is forgotten";
}

}  // namespace
}  // namespace mayfly::pool
