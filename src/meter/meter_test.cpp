#include "meter/meter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "base/standing_clock_test_support.h"

namespace mayfly::meter {
namespace {

using namespace std::chrono_literals;
using testing::SizeIs;

class MeterTest : public testing::Test, private MeteredLater {
 protected:
  bool bring_up_to_date() override {
    if (!has_instances) return false;
    account_->own().instance_ns += 1;
    return true;
  }
  void pass(nanoseconds time) {
    for (; time > 0ns; time -= 100ms) {
      clock_.advance(100ms);
      wheel_.advance(clock_.now());
    }
  }
  static UsageRecord record(std::uint64_t cpu = 1) {
    UsageRecord one;
    one.cpu_ns = cpu;
    return one;
  }
  void add(int count = 1) {
    for (int i = 0; i < count; ++i) account_->add(record());
  }

  StandingClock clock_;
  DeadlineWheel wheel_{clock_.now()};
  std::vector<UsageBatch> taken_;
  bool has_room_ = true;
  bool has_instances = false;
  Meter meter_{clock_, wheel_, [this](UsageBatch& batch) {
                 if (has_room_) taken_.push_back(std::move(batch));
                 return has_room_;
               }};
  std::optional<UsageAccount> account_{std::in_place, meter_,
                                       UsageKey{"a", 1, "acme", InvocationClass::background},
                                       static_cast<MeteredLater&>(*this)};
};

TEST_F(MeterTest, HandsOverSumsOnceASecondAndSleepsOtherwise) {
  EXPECT_EQ(wheel_.size(), 0U);
  const auto began = to_millis(clock_.wall());
  add(3);
  pass(900ms);
  EXPECT_THAT(taken_, SizeIs(0));
  add(2);
  pass(200ms);
  ASSERT_THAT(taken_, SizeIs(1));
  EXPECT_EQ(taken_[0].began_ms, began);
  ASSERT_THAT(taken_[0].sums, SizeIs(1));
  EXPECT_EQ(taken_[0].sums[0].key, (UsageKey{"a", 1, "acme", InvocationClass::background}));
  EXPECT_EQ(taken_[0].sums[0].usage.invocations, 5U);
  EXPECT_THAT(taken_[0].singles, SizeIs(5));
  EXPECT_EQ(wheel_.size(), 0U) << "nothing grows";
  pass(60s);
  EXPECT_THAT(taken_, SizeIs(1));
}

TEST_F(MeterTest, RecordsOneByOneAreBoundedAndSumsHaveAllOfThem) {
  add(static_cast<int>(Meter::kMostSingles) + 50);
  meter_.flush();
  ASSERT_THAT(taken_, SizeIs(1));
  EXPECT_THAT(taken_[0].singles, SizeIs(Meter::kMostSingles));
  EXPECT_EQ(taken_[0].not_single, 50U);
  EXPECT_EQ(taken_[0].sums[0].usage.invocations, Meter::kMostSingles + 50);
}

TEST_F(MeterTest, WhatIsNotTakenIsOfferedAgainWithWhatCameMeanwhile) {
  has_room_ = false;
  add(2);
  pass(5s);
  add(1);
  pass(5s);
  EXPECT_THAT(taken_, SizeIs(0));
  has_room_ = true;
  pass(1100ms);
  ASSERT_THAT(taken_, SizeIs(1));
  ASSERT_THAT(taken_[0].sums, SizeIs(1));
  EXPECT_EQ(taken_[0].sums[0].usage.invocations, 3U);
  EXPECT_THAT(taken_[0].singles, SizeIs(3));
}

TEST_F(MeterTest, AnAccountThatGoesLeavesItsSums) {
  add(4);
  account_.reset();
  pass(2s);
  ASSERT_THAT(taken_, SizeIs(1));
  EXPECT_EQ(taken_[0].sums[0].usage.invocations, 4U);
}

TEST_F(MeterTest, WhatGrowsWithoutInvocationsIsMeteredMoreSeldom) {
  has_instances = true;
  account_->own().starts += 1;
  pass(1100ms);
  ASSERT_THAT(taken_, SizeIs(1));
  pass(61s);
  EXPECT_EQ(taken_.size(), 4U);
  has_instances = false;
  pass(60s);
  EXPECT_EQ(taken_.size(), 4U);
}

TEST_F(MeterTest, AClockThatJumpsBackBooksEachRecordOnce) {
  add(1);
  clock_.jump(-24h);
  pass(1100ms);
  add(1);
  pass(1100ms);
  ASSERT_THAT(taken_, SizeIs(2));
  EXPECT_EQ(taken_[0].sums[0].usage.invocations + taken_[1].sums[0].usage.invocations, 2U);
  EXPECT_LT(taken_[1].began_ms, taken_[0].began_ms);
}

}  // namespace
}  // namespace mayfly::meter
