// Instances that run one invocation after another, seen from the scheduler.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "scheduler/scheduler_test_support.h"

namespace mayfly::scheduler {
namespace {

using namespace std::chrono_literals;

/// Instances that run one after another, of which it is known that an invocation costs little.
struct SerialTest : SchedulerTest {
  SerialTest() { f.runtime.report = R"({"serial":true})"; }
  void make(nanoseconds cost = 1us) {
    f.make();
    f.submit();
    ASSERT_TRUE(loop.until([&] { return f.answer_all() > 0; }));
    f.runtime.last().usage(cost, cost, 1);
    ASSERT_TRUE(loop.until([&] { return f.scheduler->pool().cost() == cost; }));
  }
};

TEST_F(SerialTest, CheapInvocationsWaitInTheInstance) {
  make();
  f.submit(10);
  EXPECT_EQ(f.scheduler->waiting(), 0U);
  loop.settle();
  EXPECT_EQ(f.runtime.instances.size(), 1U);
  EXPECT_EQ(f.answer_all(), 10);
  EXPECT_EQ(f.answered(), 11);
}

TEST_F(SerialTest, AnIdleInstanceIsBetterThanAQueue) {
  f.version->config.min_instances = 2;
  make();
  f.scheduler->keep_minimum(2);
  ASSERT_TRUE(f.serves(2));
  f.submit(2);
  loop.settle();
  for (const auto& bridge : f.runtime.instances) EXPECT_EQ(bridge->got.size(), 1U);
}

TEST_F(SerialTest, CostlyOnesWaitWhereTheyCanGoAnywhere) {
  f.version->config.max_instances = 1;
  make(10s);
  f.submit(3);
  EXPECT_EQ(f.scheduler->waiting(), 2U);
}

TEST_F(SerialTest, WhoWaitsInAnInstanceCountsAsWaiting) {
  f.version->config.max_instances = 1;
  f.version->config.queue = 2;
  make();
  f.submit(3);
  EXPECT_EQ(f.scheduler->waiting(), 0U);
  EXPECT_EQ(f.scheduler->pool().queued(), 2);
  EXPECT_EQ(f.submit().error->code, SchedulerErrc::queue_full);
  EXPECT_EQ(f.answer_all(), 3);
}

TEST_F(SerialTest, ADeathSendsThoseBehindItToAnotherInOrder) {
  f.version->config.max_instances = 1;
  make();
  f.submit(5);
  loop.settle();
  auto& first = f.runtime.last();
  ASSERT_TRUE(first.offers->claim(first.take_invoke().stream, 1));
  first.die(W_EXITCODE(3, 0));
  ASSERT_TRUE(loop.until([&] { return f.runtime.instances.size() == 2 && f.serves(1); }));
  EXPECT_EQ(f.tests[1].ended, 1);
  EXPECT_TRUE(f.tests[1].error);
  loop.settle();
  std::string order;
  for (const auto& got : f.runtime.last().got) order += got.id.front();
  EXPECT_EQ(order, "2345");
  EXPECT_EQ(f.answer_all(), 4);
  EXPECT_EQ(f.answered(), 5);
}

TEST_F(SerialTest, ASlowOneSendsThoseBehindItToAFork) {
  make();
  f.submit(3);
  loop.settle();
  auto& first = f.runtime.last();
  ASSERT_TRUE(first.offers->claim(first.take_invoke().stream, 1));
  loop.skip(1s);
  ASSERT_TRUE(loop.until([&] { return f.runtime.instances.size() > 1; }));
  ASSERT_TRUE(loop.until([&] { return f.runtime.last().got.size() == 2; }));
  EXPECT_EQ(f.scheduler->pool().in_flight(), 3);
}

TEST_F(SerialTest, WhoTakesItsPlaceAgainIsStillDueInTime) {
  f.version->config.max_instances = 1;
  f.version->config.timeout = 1h;
  make();
  f.submit(2);
  loop.settle();
  auto& first = f.runtime.last();
  ASSERT_TRUE(first.offers->claim(first.take_invoke().stream, 1));
  loop.skip(10min);
  ASSERT_TRUE(loop.until([&] { return f.scheduler->waiting() == 1; }));
  loop.skip(1h);
  ASSERT_TRUE(loop.until([&] { return f.tests[2].ended > 0; }));
  // By its own deadline, or because the instance that takes the place of the first one does not come up: the
  // clock that is skipped does not tell.
  EXPECT_EQ(f.tests[2].status, 0U);
}

TEST_F(SerialTest, ARequestThatStillComesWaitsForAnInstanceOfItsOwn) {
  make();
  f.submit();
  auto& coming = f.tests.emplace_back("c");
  coming.invocation.body_complete = false;
  f.scheduler->submit(coming.invocation);
  EXPECT_EQ(f.scheduler->waiting(), 1U);
  ASSERT_TRUE(loop.until([&] { return f.running() == 2; }));
  EXPECT_EQ(f.runtime.instances.size(), 2U);
}

}  // namespace
}  // namespace mayfly::scheduler
