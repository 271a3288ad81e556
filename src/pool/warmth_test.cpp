#include "pool/warmth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace mayfly::pool {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::uint64_t kMiB = 1U << 20U;

/// A pool without processes: it does what it is told and reports what a real one would.
class FakePool final : public WarmPool {
 public:
  explicit FakePool(Warmth& warmth, const Clock& clock) : account(warmth, *this), clock_(clock) {}

  void invoke_begin() {
    if (!has_template) ++cold_templates, build();
    if (idle == 0) ++cold_instances, start();
    --idle, ++busy;
    account.instance_taken(clock_.now());
  }
  void invoke_end() {
    --busy, ++idle;
    account.instance_returned(clock_.now());
  }
  void invoke() {
    invoke_begin();
    invoke_end();
  }
  void build() {
    has_template = true;
    account.template_started(milliseconds(20));
  }
  void start() {
    ++idle;
    account.instance_started(instance_takes);
  }
  void crash() {
    --busy;
    account.instance_gone(true);
  }
  void template_dies() {
    has_template = false;
    account.template_gone();
    for (; idle > 0; --idle) account.instance_gone(false);
    for (; busy > 0; --busy) account.instance_gone(true);
  }
  [[nodiscard]] std::uint64_t bytes() const {
    return static_cast<std::uint64_t>(idle + busy) * account.instances().bytes +
           (has_template ? account.template_().bytes : 0);
  }

  bool evict_instance() override {
    if (refuses || idle == 0) return false;
    --idle, ++evicted;
    return true;
  }
  bool evict_template() override {
    if (refuses || busy > 0 || !has_template) return false;
    for (; idle > 0; --idle) account.instance_gone(false);
    has_template = false;
    ++evicted;
    return true;
  }
  bool prewarm_instance() override {
    if (refuses || !has_template) return false;
    ++prewarmed;
    start();
    return true;
  }
  bool prewarm_template() override {
    if (refuses) return false;
    ++prewarmed;
    build();
    return true;
  }
  int sample_instance() const override { return idle > 0 ? 7 : 0; }
  int sample_template() const override { return has_template ? 8 : 0; }

  Account account;
  milliseconds instance_takes{2};
  bool has_template = false, refuses = false;
  int idle = 0, busy = 0, evicted = 0, prewarmed = 0, cold_templates = 0, cold_instances = 0;

 private:
  const Clock& clock_;
};

class WarmthTest : public testing::Test {
 protected:
  WarmthTest() { clock.advance(hours(1)); }
  void make(WarmthOptions options) {
    wheel = std::make_unique<DeadlineWheel>(clock.now());
    warmth = std::make_unique<Warmth>(clock, *wheel, std::move(options));
  }
  std::unique_ptr<FakePool> pool() { return std::make_unique<FakePool>(*warmth, clock); }
  void pass(nanoseconds time) {
    const auto end = clock.now() + std::chrono::duration_cast<MonotonicTime::duration>(time);
    while (wheel->next() <= end) {
      clock.advance(wheel->next() - clock.now());
      wheel->advance(clock.now());
    }
    clock.advance(end - clock.now());
    wheel->advance(clock.now());
  }

  ManualClock clock;
  std::unique_ptr<DeadlineWheel> wheel;
  std::unique_ptr<Warmth> warmth;
};

TEST_F(WarmthTest, WithNothingWarmNothingIsAwaited) {
  make({});
  const auto one = pool();
  EXPECT_EQ(wheel->size(), 0U);
}

TEST_F(WarmthTest, ScalesToZeroAndBack) {
  make({});
  const auto one = pool();
  one->invoke();
  pass(minutes(3));
  EXPECT_EQ(one->idle, 1);
  EXPECT_TRUE(one->has_template);
  pass(hours(20));
  EXPECT_EQ(one->idle, 0);
  EXPECT_FALSE(one->has_template);
  EXPECT_EQ(warmth->bytes_held(), 0U);
  one->invoke();
  EXPECT_EQ(warmth->bytes_held(), one->bytes());
}

TEST_F(WarmthTest, WhenMemoryIsShortTheLeastWorthyEnd) {
  make({.policy = {.budget = 30 * kMiB}});
  std::vector<std::unique_ptr<FakePool>> rare;
  const auto often = pool();
  for (int i = 0; i < 10; ++i) {
    rare.push_back(pool());
    rare.back()->invoke();
    for (int j = 0; j < 30; ++j) {
      often->invoke();
      pass(seconds(5));
    }
  }
  pass(seconds(1));
  EXPECT_LE(warmth->bytes_held(), 30 * kMiB);
  EXPECT_EQ(often->cold_templates, 1);
  EXPECT_EQ(often->cold_instances, 1);
  EXPECT_FALSE(rare.front()->has_template);
}

TEST_F(WarmthTest, NothingForIdleThingsMeansThatTheyGoAtOnce) {
  make({.policy = {.budget = 1}});
  const auto one = pool();
  one->invoke_begin();
  pass(seconds(30));
  EXPECT_EQ(one->busy, 1);  // what works stays
  EXPECT_TRUE(one->has_template);
  one->invoke_end();
  pass(seconds(1));
  EXPECT_EQ(one->idle, 0);
  EXPECT_FALSE(one->has_template);
}

TEST_F(WarmthTest, TheMinimumStaysWhateverTheBudget) {
  make({.policy = {.budget = 1}});
  const auto one = pool();
  one->account.keep_at_least(2);
  for (int i = 0; i < 4; ++i) one->invoke_begin();
  for (int i = 0; i < 4; ++i) one->invoke_end();
  pass(hours(30));
  EXPECT_EQ(one->idle, 2);
  EXPECT_TRUE(one->has_template);
  one->account.keep_at_least(0);
  one->invoke();
  pass(hours(1));
  EXPECT_EQ(warmth->bytes_held(), 0U);
}

TEST_F(WarmthTest, WhatCannotEndNowIsTriedAgain) {
  make({.policy = {.budget = 1}});
  const auto one = pool();
  one->refuses = true;
  one->invoke();
  pass(seconds(10));
  EXPECT_EQ(warmth->bytes_held(), one->bytes());
  one->refuses = false;
  pass(seconds(2));
  EXPECT_EQ(warmth->bytes_held(), 0U);
  EXPECT_EQ(one->idle, 0);
}

TEST_F(WarmthTest, MeasuredMemoryCountsInsteadOfTheEstimate) {
  std::vector<int> asked;
  make({.policy = {.budget = 100 * kMiB}, .measure = [&](int pid, bool, const auto& then) {
          asked.push_back(pid);
          then(60 * kMiB);
        }});
  const auto one = pool();
  one->build();
  pass(seconds(5));
  EXPECT_THAT(asked, testing::ElementsAre(8));
  EXPECT_EQ(warmth->bytes_held(), 60 * kMiB);
  one->invoke();
  pass(minutes(2));
  one->invoke();
  pass(seconds(5));
  EXPECT_THAT(asked, testing::Contains(7));  // 120 MiB: too much, something had to go
  EXPECT_LE(warmth->bytes_held(), 60 * kMiB);
}

/// Templates of 100 MiB, instances of one.
void large_templates(int, bool is_template, const std::function<void(std::uint64_t)>& then) {
  then(is_template ? 100 * kMiB : kMiB);
}

TEST_F(WarmthTest, ATemplateThatIsWorthLessTakesItsInstancesAlong) {
  make({.policy = {.budget = 20 * kMiB}});
  const auto one = pool();
  one->instance_takes = seconds(2);  // so the template is worth less, and goes first
  for (int i = 0; i < 20; ++i) one->invoke_begin();
  for (int i = 0; i < 20; ++i) one->invoke_end();
  pass(milliseconds(200));  // before the policy sees that there is room again
  EXPECT_FALSE(one->has_template);
  EXPECT_EQ(one->idle, 0);
  EXPECT_EQ(warmth->bytes_held(), 0U);
}

TEST_F(WarmthTest, RoomForInstancesComesFromTheLeastWorthyAndNeverFromTemplates) {
  make({.policy = {.price_ms_per_gib_second = 0}, .measure = large_templates});
  const auto often = pool(), rare = pool(), none = pool();
  none->build();
  rare->invoke();
  for (int i = 0; i < 100; ++i) {
    often->invoke();
    pass(seconds(3));
  }
  EXPECT_TRUE(warmth->make_room());
  EXPECT_EQ(rare->idle, 0);
  EXPECT_EQ(often->idle, 1);
  often->invoke_begin();
  EXPECT_FALSE(warmth->make_room());
  EXPECT_TRUE(none->has_template);
  EXPECT_TRUE(rare->has_template);
}

TEST_F(WarmthTest, AHabitIsMetAheadOfDemand) {
  // Dear memory: half an hour is too long to wait for the next call.
  make({.policy = {.price_ms_per_gib_second = 6}});
  const auto one = pool();
  for (int i = 0; i < 20; ++i) {
    one->invoke();
    pass(minutes(30));
  }
  const int learning = one->cold_templates;
  for (int i = 0; i < 10; ++i) {
    one->invoke();
    pass(minutes(30));
  }
  EXPECT_EQ(one->cold_templates, learning);
  EXPECT_GE(one->prewarmed, 10);
  EXPECT_GE(one->evicted, 10);
}

TEST_F(WarmthTest, OutlookNamesTheEndThatComes) {
  make({});
  const auto one = pool();
  one->invoke_begin();
  EXPECT_EQ(one->account.instances().ends, std::nullopt);
  one->invoke_end();
  const auto instance = one->account.instances().ends;
  const auto its_template = one->account.template_().ends;
  ASSERT_TRUE(instance && its_template);
  pass(*instance - clock.now() - seconds(1));
  EXPECT_EQ(one->idle, 1);
  pass(seconds(2));
  EXPECT_EQ(one->idle, 0);
  pass(*its_template - clock.now() + seconds(1));
  EXPECT_FALSE(one->has_template);
}

TEST_F(WarmthTest, BooksAgreeWithThePoolsUnderRandomEvents) {
  make({.policy = {.budget = 60 * kMiB, .price_ms_per_gib_second = 5}});
  std::mt19937 random(3);
  std::vector<std::unique_ptr<FakePool>> pools;
  for (int i = 0; i < 12; ++i) pools.push_back(pool());
  for (int i = 0; i < 50'000; ++i) {
    auto& one = pools[random() % pools.size()];
    switch (random() % 16) {
      case 0:
        if (one->busy > 0) one->crash();
        break;
      case 1:
        if (random() % 20 == 0 && one->has_template) one->template_dies();
        break;
      case 2:
        if (random() % 20 == 0) one = pool();
        break;
      case 3:
        warmth->make_room();
        break;
      case 4:
        one->refuses = random() % 4 == 0;
        break;
      default:
        if (one->busy > 0 && random() % 2 == 0)
          one->invoke_end();
        else if (one->busy < 5)
          one->invoke_begin();
    }
    pass(milliseconds(random() % 3000));
    std::uint64_t bytes = 0;
    for (const auto& each : pools) bytes += each->bytes();
    ASSERT_EQ(warmth->bytes_held(), bytes) << "after step " << i;
  }
}

}  // namespace
}  // namespace mayfly::pool
