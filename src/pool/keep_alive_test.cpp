#include "pool/keep_alive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace mayfly::pool {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using Kind = KeepAlive::Action::Kind;

constexpr std::uint64_t kMiB = 1 << 20;

/// A pool that does what the policy says, and nothing else.
class KeepAliveTest : public testing::Test {
 protected:
  void make(KeepAliveOptions options) { policy = std::make_unique<KeepAlive>(options); }
  void use(KeepAlive::Key key) {
    if (policy->idle(key) == 0) {
      ++cold;
      policy->started(key, now);
    }
    policy->taken(key, now);
  }
  void invoke(KeepAlive::Key key) {
    use(key);
    policy->returned(key, now);
  }
  void decide() {
    for (const auto& action : policy->decide(now)) {
      (action.kind == Kind::evict ? evicted : prewarmed).push_back(action.key);
      if (action.kind == Kind::prewarm) policy->started(action.key, now);
    }
  }
  /// Let time pass, with every decision at its time.
  void pass(nanoseconds by) {
    const auto end = now + std::chrono::duration_cast<MonotonicTime::duration>(by);
    while (policy->next_decision() && *policy->next_decision() <= end) {
      now = std::max(now, *policy->next_decision());
      decide();
    }
    now = end;
    decide();
  }

  std::unique_ptr<KeepAlive> policy;
  MonotonicTime now{hours(1)};
  std::vector<KeepAlive::Key> evicted, prewarmed;
  int cold = 0;
};

TEST_F(KeepAliveTest, CountsIdleBusyAndBytes) {
  make({});
  policy->add(1, {.bytes = 10});
  use(1);
  use(1);
  EXPECT_EQ(policy->busy(1), 2U);
  EXPECT_EQ(policy->bytes_held(), 20U);
  policy->returned(1, now);
  EXPECT_EQ(policy->idle(1), 1U);
  policy->measured(1, 15);
  EXPECT_EQ(policy->bytes_held(), 30U);
  policy->lost(1, true, now);
  EXPECT_EQ(policy->bytes_held(), 15U);
  policy->lost(1, false, now);
  EXPECT_EQ(policy->bytes_held(), 0U);
  EXPECT_EQ(policy->idle(1) + policy->busy(1), 0U);
}

TEST_F(KeepAliveTest, UnknownTemplateIsKeptForMinutesAndThenScaledToZero) {
  make({});
  policy->add(1, {.bytes = 30 * kMiB, .start_ms = 20});
  invoke(1);
  pass(minutes(3));
  EXPECT_TRUE(evicted.empty());
  pass(minutes(57));
  EXPECT_THAT(evicted, testing::ElementsAre(1));
  EXPECT_EQ(policy->bytes_held(), 0U);
}

TEST_F(KeepAliveTest, WhatIsDearToMakeOrSmallIsKeptLonger) {
  make({});
  policy->add(1, {.bytes = 30 * kMiB, .start_ms = 2});
  policy->add(2, {.bytes = 30 * kMiB, .start_ms = 20});
  policy->add(3, {.bytes = 3 * kMiB, .start_ms = 20});
  for (const KeepAlive::Key key : {3, 2, 1}) invoke(key);
  pass(hours(24));
  EXPECT_THAT(evicted, testing::ElementsAre(1, 2, 3));
}

TEST_F(KeepAliveTest, FreeMemoryIsNeverGivenBack) {
  make({.price_ms_per_gib_second = 0});
  policy->add(1, {.bytes = 30 * kMiB});
  invoke(1);
  pass(hours(20));
  EXPECT_TRUE(evicted.empty());
}

TEST_F(KeepAliveTest, OverBudgetTheOneLeastLikelyToBeUsedPerByteLeaves) {
  make({.budget = 100 * kMiB, .price_ms_per_gib_second = 0});
  policy->add(1, {.bytes = 10 * kMiB});
  policy->add(2, {.bytes = 40 * kMiB});
  policy->add(3, {.bytes = 60 * kMiB});
  invoke(1);
  invoke(2);
  pass(minutes(5));
  EXPECT_TRUE(evicted.empty());
  use(3);  // 110 MiB: the large idle one makes room, not the small one
  decide();
  EXPECT_THAT(evicted, testing::ElementsAre(2));
  EXPECT_EQ(policy->bytes_held(), 70 * kMiB);
}

TEST_F(KeepAliveTest, BusyEntriesAreNeverEvicted) {
  make({.budget = 10 * kMiB});
  policy->add(1, {.bytes = 40 * kMiB});
  use(1);
  pass(hours(1));
  EXPECT_TRUE(evicted.empty());
  policy->returned(1, now);
  decide();
  EXPECT_THAT(evicted, testing::ElementsAre(1));
}

TEST_F(KeepAliveTest, AtLeastSoManyStay) {
  make({.budget = kMiB});
  policy->add(1, {.bytes = 10 * kMiB, .at_least = 1});
  use(1);
  use(1);
  policy->returned(1, now);
  policy->returned(1, now);
  pass(hours(23));
  EXPECT_THAT(evicted, testing::ElementsAre(1));
  EXPECT_EQ(policy->idle(1), 1U);
}

TEST_F(KeepAliveTest, StartedAndNeverUsedIsGivenBackToo) {
  make({});
  policy->add(1, {.bytes = 30 * kMiB, .start_ms = 20});
  policy->started(1, now);
  pass(hours(2));
  EXPECT_THAT(evicted, testing::ElementsAre(1));
}

TEST_F(KeepAliveTest, TimerIsLearnedDroppedBetweenAndWarmBeforeItFires) {
  make({.price_ms_per_gib_second = 1});
  policy->add(1, {.bytes = 50 * kMiB, .start_ms = 20});
  for (int i = 0; i < 12; ++i) {
    invoke(1);
    pass(minutes(30));
  }
  const int learning = cold;
  cold = 0;
  prewarmed.clear();
  double held = 0;
  for (int i = 0; i < 10; ++i) {
    invoke(1);
    for (int s = 0; s < 1800; ++s) {
      held += static_cast<double>(policy->idle(1));
      pass(seconds(1));
    }
  }
  EXPECT_LE(learning, 12);
  EXPECT_EQ(cold, 0);
  EXPECT_EQ(prewarmed.size(), 10U);
  EXPECT_LT(held / 18000, 0.25);  // warm for less than a quarter of the time
}

TEST_F(KeepAliveTest, SecondEntryOfAKeyIsJudgedByItsOwnUse) {
  make({});
  policy->add(1, {.bytes = 30 * kMiB, .start_ms = 20});
  use(1);
  use(1);
  policy->returned(1, now);
  policy->returned(1, now);
  for (int i = 0; i < 300; ++i) {  // one at a time is all it needs from here
    pass(seconds(20));
    invoke(1);
  }
  EXPECT_THAT(evicted, testing::ElementsAre(1));
  EXPECT_EQ(policy->idle(1), 1U);
  EXPECT_EQ(cold, 2);
}

TEST_F(KeepAliveTest, HotPathLeavesTheQueueAlone) {
  make({});
  policy->add(1, {.bytes = kMiB});
  invoke(1);
  const auto due = policy->next_decision();
  for (int i = 0; i < 1000; ++i) {
    now += std::chrono::microseconds(10);
    invoke(1);
  }
  EXPECT_EQ(policy->next_decision(), due);
  pass(milliseconds(1500));
  EXPECT_TRUE(evicted.empty());
}

TEST_F(KeepAliveTest, RemovedKeyLeavesNothingBehind) {
  make({});
  policy->add(1, {.bytes = 30 * kMiB});
  invoke(1);
  policy->remove(1);
  EXPECT_EQ(policy->bytes_held(), 0U);
  policy->add(1, {.bytes = kMiB, .at_least = 1});
  policy->started(1, now);
  pass(hours(24));
  EXPECT_TRUE(evicted.empty());
  EXPECT_EQ(policy->bytes_held(), kMiB);
}

TEST_F(KeepAliveTest, WhatWasPlannedForARemovedKeyTeachesNothing) {
  const auto kept_for = [this](bool removed_before) {
    make({});
    evicted.clear();
    const EntryKind kind{.bytes = 30 * kMiB, .start_ms = 20};
    policy->add(1, kind);
    for (int i = 0; removed_before && i < 20; ++i) {
      for (int level = 0; level < 2; ++level) use(1);
      for (int level = 0; level < 2; ++level) policy->returned(1, now);
      policy->remove(1);
      policy->add(1, kind);
    }
    pass(seconds(2));
    policy->add(2, kind);
    const auto start = now;
    invoke(2);
    while (evicted.empty()) {
      now = *policy->next_decision();
      decide();
    }
    return std::chrono::round<seconds>(now - start);
  };
  EXPECT_EQ(kept_for(true), kept_for(false));
}

TEST_F(KeepAliveTest, FailedPrewarmIsNotRepeatedAtOnceNorCounted) {
  make({.price_ms_per_gib_second = 1});
  policy->add(1, {.bytes = 50 * kMiB, .start_ms = 20});
  for (int i = 0; i < 12; ++i) {
    invoke(1);
    pass(minutes(30));
  }
  invoke(1);
  int asked = 0;
  for (int s = 0; s < 1750; ++s) {
    now += seconds(1);
    for (const auto& action : policy->decide(now))
      if (action.kind == Kind::prewarm) {
        ++asked;
        policy->prewarm_failed(1);
      }
  }
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(policy->idle(1), 0U);
}

TEST_F(KeepAliveTest, BooksStayRightUnderRandomEvents) {
  make({.budget = 60 * kMiB});
  std::mt19937 random(7);
  std::vector<int> live(20);
  for (KeepAlive::Key key = 0; key < 20; ++key) policy->add(key, {.bytes = kMiB, .start_ms = 2});
  const auto perform = [&] {
    for (bool again = true; again;) {
      const auto actions = policy->decide(now);
      again = !actions.empty();
      for (const auto& action : actions) {
        live[action.key] += action.kind == Kind::evict ? -1 : 1;
        if (action.kind == Kind::prewarm) policy->started(action.key, now);
      }
    }
  };
  for (int i = 0; i < 200'000; ++i) {
    const KeepAlive::Key key = random() % 20;
    now += milliseconds(random() % 2000);
    if (policy->busy(key) > 0 && random() % 2 == 0) {
      const bool crashed = random() % 50 == 0;
      if (crashed) --live[key];
      crashed ? policy->lost(key, true, now) : policy->returned(key, now);
    } else if (policy->busy(key) < 8) {
      if (policy->idle(key) == 0) {
        ++live[key];
        policy->started(key, now);
      }
      policy->taken(key, now);
    }
    perform();
    std::uint64_t total = 0;
    std::uint32_t idle = 0;
    for (KeepAlive::Key k = 0; k < 20; ++k) {
      ASSERT_EQ(live[k], static_cast<int>(policy->idle(k) + policy->busy(k)));
      total += policy->idle(k) + policy->busy(k);
      idle += policy->idle(k);
    }
    ASSERT_EQ(policy->bytes_held(), total * kMiB);
    ASSERT_TRUE(total <= 60 || idle == 0);
  }
}

}  // namespace
}  // namespace mayfly::pool
