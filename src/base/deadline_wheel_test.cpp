#include "base/deadline_wheel.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <random>
#include <vector>

namespace mayfly {
namespace {

using std::chrono::seconds;

struct Probe : DeadlineEntry {
  std::function<void()> then;
  int fired = 0;
  void on_deadline() override {
    ++fired;
    if (then) then();
  }
};

class Wheel : public testing::Test {
 protected:
  MonotonicTime at(milliseconds time) const { return start_ + time; }
  MonotonicTime start_ = MonotonicTime{} + seconds(1000);
  DeadlineWheel wheel_{start_};
};

TEST_F(Wheel, FiresOnceNotBeforeTheDeadlineAndSoonAfter) {
  Probe probe;
  wheel_.add(probe, at(milliseconds(100)));
  wheel_.advance(at(milliseconds(99)));
  EXPECT_EQ(probe.fired, 0);
  wheel_.advance(at(milliseconds(100) + 2 * DeadlineWheel::kTick));
  EXPECT_EQ(probe.fired, 1);
  wheel_.advance(at(seconds(100)));
  EXPECT_EQ(probe.fired, 1);
  EXPECT_EQ(wheel_.size(), 0U);
}

TEST_F(Wheel, ADeadlineBeyondARevolutionWaits) {
  Probe probe;
  wheel_.add(probe, at(seconds(10)));
  for (int ms = 0; ms < 10'000; ms += 50) wheel_.advance(at(milliseconds(ms)));
  EXPECT_EQ(probe.fired, 0);
  wheel_.advance(at(seconds(11)));
  EXPECT_EQ(probe.fired, 1);
}

TEST_F(Wheel, OneThatIsOverFiresAtTheNextTick) {
  Probe probe;
  wheel_.advance(at(seconds(1)));
  wheel_.add(probe, at(milliseconds(1)));
  wheel_.advance(at(seconds(1) + 3 * DeadlineWheel::kTick));
  EXPECT_EQ(probe.fired, 1);
}

TEST_F(Wheel, CancelledAndDestroyedOnesDoNotFire) {
  Probe cancelled;
  auto destroyed = std::make_unique<Probe>();
  wheel_.add(cancelled, at(milliseconds(10)));
  wheel_.add(*destroyed, at(milliseconds(10)));
  cancelled.cancel();
  destroyed.reset();
  EXPECT_EQ(wheel_.size(), 0U);
  wheel_.advance(at(seconds(1)));
  EXPECT_EQ(cancelled.fired, 0);
}

TEST_F(Wheel, ACallbackMayAddAndCancelOthersOfTheSameSlot) {
  Probe first;
  Probe second;
  Probe third;
  wheel_.add(third, at(milliseconds(10)));
  wheel_.add(second, at(milliseconds(10)));
  wheel_.add(first, at(milliseconds(10)));
  first.then = [&] {
    second.cancel();
    wheel_.add(first, at(milliseconds(500)));
  };
  wheel_.advance(at(milliseconds(100)));
  EXPECT_EQ(first.fired, 1);
  EXPECT_EQ(second.fired, 0);
  EXPECT_EQ(third.fired, 1);
  first.then = nullptr;
  wheel_.advance(at(seconds(1)));
  EXPECT_EQ(first.fired, 2);
}

TEST_F(Wheel, NextIsNeverLateForRandomDeadlines) {
  std::mt19937 random(1);
  std::vector<std::unique_ptr<Probe>> probes;
  for (int i = 0; i < 500; ++i) {
    probes.push_back(std::make_unique<Probe>());
    wheel_.add(*probes.back(), at(milliseconds(random() % 20'000)));
  }
  MonotonicTime now = start_;
  while (wheel_.size() > 0) {
    const auto next = wheel_.next();
    ASSERT_GT(next, now);
    now = next;
    wheel_.advance(now);
    for (const auto& probe : probes) {
      if (probe->fired == 0) {
        ASSERT_GT(probe->deadline() + 2 * DeadlineWheel::kTick, now);
      }
    }
  }
  for (const auto& probe : probes) EXPECT_EQ(probe->fired, 1);
}

TEST_F(Wheel, NextSkipsTheRevolutionsOfALongDeadline) {
  Probe probe;
  wheel_.add(probe, at(seconds(100)));
  EXPECT_GT(wheel_.next(), at(seconds(100)));
  EXPECT_LE(wheel_.next(), at(seconds(100)) + DeadlineWheel::kTick);
}

TEST_F(Wheel, TellsASleeperOnlyOfWhatIsEarlier) {
  std::vector<MonotonicTime> told;
  wheel_.on_earlier = [&](MonotonicTime when) { told.push_back(when); };
  Probe awake, late, later, early;
  wheel_.add(awake, at(seconds(10)));
  EXPECT_TRUE(told.empty());  // nobody sleeps
  wheel_.sleep(wheel_.next());
  wheel_.add(late, at(seconds(10)));
  wheel_.add(later, at(seconds(20)));
  EXPECT_TRUE(told.empty());
  wheel_.add(early, at(seconds(1)));
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0], wheel_.next());
  wheel_.advance(told[0]);
  EXPECT_EQ(early.fired, 1);
  wheel_.add(early, at(seconds(2)));
  EXPECT_EQ(told.size(), 1U);  // who has advanced is awake and will ask
}

}  // namespace
}  // namespace mayfly
