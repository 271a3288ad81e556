#include <gtest/gtest.h>
#include <sys/wait.h>

#include "scheduler/scheduler_test_support.h"

namespace mayfly::scheduler {
namespace {

using pool::FakeInstance;
using pool::TestInvocation;
using namespace std::chrono_literals;

TEST_F(SchedulerTest, TheFirstInvocationBringsATemplateAndAnInstanceIntoBeing) {
  f.make();
  auto& test = f.submit();
  EXPECT_EQ(f.scheduler->waiting(), 1U);
  ASSERT_TRUE(loop.until([&] { return f.answer_all() > 0; }));
  ASSERT_TRUE(loop.until([&] { return test.ended > 0; }));
  EXPECT_EQ(test.body, "ok");
  EXPECT_EQ(f.runtime.templates, 1);
  EXPECT_EQ(f.runtime.instances.size(), 1U);
  EXPECT_EQ(capacity.used(), 1U);
  auto& second = f.submit();
  EXPECT_EQ(f.scheduler->waiting(), 0U) << "an instance that is free serves at once";
  f.answer_all();
  EXPECT_EQ(second.ended, 1);
  EXPECT_EQ(f.stats->admitted.get(), 2U);
  EXPECT_EQ(f.stats->waited.get(), 1U);
  EXPECT_EQ(f.stats->answered.get(), 2U);
}

TEST_F(SchedulerTest, ProcessesThatDoNotLeaveCountAsInstances) {
  constexpr int kMost = 2;
  f.version->config.isolation = registry::Isolation::request;
  f.version->config.max_instances = kMost;
  f.make();
  f.submit(20);
  for (int turns = 0; turns < 100; ++turns) (void)f.answer_all();
  // None of the used up ones has left.
  EXPECT_EQ(f.runtime.alive(), kMost + pool::Pool::kLeavingFree);
  EXPECT_EQ(f.answered(), kMost + pool::Pool::kLeavingFree);
  EXPECT_LE(capacity.used(), static_cast<std::size_t>(kMost));
  ASSERT_TRUE(loop.until([&] {  // as they leave the others are served
    (void)f.answer_all();
    for (const auto& bridge : f.runtime.instances)
      if (!bridge->dead && bridge->answered > 0) bridge->die(0);
    return f.answered() == 20;
  }));
  f.scheduler.reset();
  EXPECT_EQ(capacity.used(), 0U);
}

TEST_F(SchedulerTest, ABurstEndsWithNoMoreInstancesThanItHadInvocations) {
  f.make();
  f.submit(12);
  ASSERT_TRUE(loop.until([&] { return f.running() == 12; }));
  EXPECT_LE(f.runtime.instances.size(), 12U);
  EXPECT_GE(f.runtime.instances.size(), 4U) << "nothing is known of their cost, so they do not share";
  while (f.answer_all() > 0) {
  }
  EXPECT_EQ(f.answered(), 12);
  loop.settle();
  EXPECT_EQ(f.scheduler->pool().starting(), 0);
}

TEST_F(SchedulerTest, AFewForksAreUnderWayAtOnce) {
  f.runtime.serves = false;
  f.make();
  f.submit(50);
  ASSERT_TRUE(loop.until([&] { return f.runtime.instances.size() == 4; }));
  loop.settle();
  EXPECT_EQ(f.runtime.instances.size(), 4U);
  EXPECT_EQ(f.scheduler->waiting(), 50U);
}

TEST_F(SchedulerTest, CheapInvocationsRatherWaitForEachOtherThanForAFork) {
  f.make();
  f.submit();
  ASSERT_TRUE(loop.until([&] { return f.answer_all() > 0; }));
  f.runtime.last().usage(1us, 1us, 1);
  ASSERT_TRUE(loop.until([&] { return f.scheduler->pool().cost() == 1us; }));
  f.submit(10);
  EXPECT_EQ(f.scheduler->waiting(), 0U);
  loop.settle();
  EXPECT_EQ(f.runtime.instances.size(), 1U);
  f.submit();
  EXPECT_EQ(f.scheduler->waiting(), 1U) << "concurrency is the limit of sharing";
  ASSERT_TRUE(loop.until([&] { return f.running() == 11; }));
  EXPECT_EQ(f.runtime.instances.size(), 2U);
}

TEST_F(SchedulerTest, CostlyInvocationsGetAnInstanceEach) {
  f.make();
  f.submit();
  ASSERT_TRUE(loop.until([&] { return f.answer_all() > 0; }));
  f.runtime.last().usage(10s, 0s, 1);  // more than any fork
  ASSERT_TRUE(loop.until([&] { return f.scheduler->pool().cost() == 10s; }));
  f.submit(3);
  ASSERT_TRUE(loop.until([&] { return f.running() == 3; }));
  EXPECT_EQ(f.runtime.instances.size(), 3U);
}

TEST_F(SchedulerTest, AtTheLimitOfInstancesTheyAreFilledEvenly) {
  f.version->config.max_instances = 2;
  f.version->config.concurrency = 3;
  f.make();
  f.submit(7);
  ASSERT_TRUE(loop.until([&] { return f.running() == 6; }));
  EXPECT_EQ(f.runtime.instances.size(), 2U);
  EXPECT_EQ(f.scheduler->waiting(), 1U);
  loop.settle();
  for (const auto& bridge : f.runtime.instances) EXPECT_EQ(bridge->got.size(), 3U);
}

TEST_F(SchedulerTest, TheQueueIsBoundedBeyondWhatInstancesToComeWillTake) {
  f.version->config.max_instances = 1;
  f.version->config.concurrency = 2;
  f.version->config.queue = 3;
  f.make();
  f.submit(5);  // 2 for the instance that will be, 3 in the queue
  EXPECT_EQ(f.scheduler->waiting(), 5U);
  auto& refused = f.submit();
  ASSERT_TRUE(refused.error);
  EXPECT_EQ(refused.error->code, SchedulerErrc::queue_full);
  EXPECT_EQ(refused.error->detail("limit"), "3");
  ASSERT_TRUE(loop.until([&] { return f.running() == 2; }));
  EXPECT_EQ(f.scheduler->waiting(), 3U);
  EXPECT_TRUE(f.submit().error) << "now that it runs the queue is just as long";
  ASSERT_EQ(f.answer_all(), 2);
  ASSERT_TRUE(loop.until([&] { return f.running() == 2; }));
  EXPECT_FALSE(f.submit().error);
  EXPECT_EQ(f.stats->rejected.get(), 2U);
}

TEST_F(SchedulerTest, FirstComeFirstServed) {
  f.version->config.max_instances = 1;
  f.version->config.concurrency = 1;
  f.make();
  f.submit(5);
  ASSERT_TRUE(loop.until([&] { return f.running() == 1; }));
  std::string order;
  for (int i = 0; i < 5; ++i) {
    loop.settle();
    ASSERT_EQ(f.runtime.last().got.size(), 1U);
    const auto got = f.runtime.last().take_invoke();
    order += got.id.front();
    f.runtime.last().respond(got.stream, 200, {}, {});
  }
  EXPECT_EQ(order, "01234");
}

TEST_F(SchedulerTest, WhoWaitsBeyondTheDeadlineIsToldSo) {
  f.version->config.timeout = 20ms;
  f.runtime.serves = false;
  f.make();
  f.submit(2);
  ASSERT_TRUE(loop.until([&] { return f.tests[1].ended > 0; }));
  for (const auto& test : f.tests) {
    EXPECT_EQ(test.error->code, SchedulerErrc::deadline_exceeded);
    EXPECT_EQ(test.error->detail("limit"), "20 ms");
    EXPECT_EQ(test.error->detail("ran"), "0 ms");
  }
  EXPECT_EQ(f.stats->timed_out.get(), 2U);
  EXPECT_EQ(f.scheduler->waiting(), 0U);
}

TEST_F(SchedulerTest, OneDeadlineHoldsForWaitingAndRunning) {
  f.version->config.timeout = 30ms;
  f.make();
  auto& test = f.submit();
  ASSERT_TRUE(loop.until([&] { return test.ended > 0; }));
  EXPECT_EQ(test.error->code, SchedulerErrc::deadline_exceeded);
  EXPECT_NE(test.error->detail("ran"), "0 ms");
  EXPECT_EQ(f.stats->timed_out.get(), 1U);
  EXPECT_EQ(f.stats->answered.get() + f.stats->failed.get(), 0U) << "one outcome each";
  EXPECT_EQ(f.logs.failures.size(), 1U);
}

TEST_F(SchedulerTest, HandlersThatNeverEndDoNotTakeTheFunctionWithThem) {
  f.version->config.max_instances = 1;
  f.version->config.concurrency = 2;
  f.version->config.timeout = 30ms;
  f.runtime.hook = [](FakeInstance& self, FakeInstance::Got& got) {
    if (got.type == wire::FrameType::ping) self.tell(wire::FrameType::pong);
    if (got.type == wire::FrameType::invoke) self.got.push_back(std::move(got));
  };
  f.make();
  f.submit(2);  // and their handlers never end
  ASSERT_TRUE(loop.until([&] { return f.tests[0].ended + f.tests[1].ended == 2; }));
  f.version->config.timeout = 10min;
  auto& next = f.submit();
  ASSERT_TRUE(loop.until([&] {
    if (f.runtime.instances.size() == 2) f.answer_all();
    return next.ended > 0;
  }));
  EXPECT_EQ(next.status, 200U);
}

TEST_F(SchedulerTest, WhoAsksAgainWhenItFailsIsNotServedFromInsideItsFailure) {
  f.runtime.loads = false;
  f.make();
  // Each listener brings its next invocation from inside the failure of the last, as a connection does.
  constexpr int kListeners = 500;
  int depth = 0, deepest = 0;
  std::deque<TestInvocation> again;
  f.submit(kListeners);
  for (auto& test : f.tests)
    test.at_end = [&] {
      deepest = std::max(deepest, ++depth);
      auto& next = again.emplace_back();
      next.at_end = [&] { deepest = std::max(deepest, depth + 1); };
      f.scheduler->submit(next.invocation);
      --depth;
    };
  loop.settle();
  f.runtime.template_says(wire::ControlType::failed, R"({"message":"broken"})");
  ASSERT_TRUE(loop.until([&] {
    return std::ranges::all_of(again, [](const auto& test) { return test.ended == 1; }) &&
           again.size() == kListeners;
  }));
  EXPECT_LE(deepest, 2) << "the stack would grow with every connection that waits";
}

TEST_F(SchedulerTest, WhoLeavesWhileItWaitsIsForgotten) {
  f.runtime.serves = false;
  f.make();
  f.submit(3);
  f.scheduler->cancel(f.tests[1].invocation);
  f.scheduler->cancel(f.tests[1].invocation);  // nothing is left of it
  EXPECT_EQ(f.scheduler->waiting(), 2U);
  ASSERT_TRUE(loop.until([&] { return f.runtime.instances.size() >= 2; }));
  for (const auto& bridge : f.runtime.instances) bridge->serve();
  ASSERT_TRUE(loop.until([&] { return f.running() == 2; }));
  f.answer_all();
  EXPECT_EQ(f.answered(), 2);
  EXPECT_EQ(f.tests[1].ended, 0);
  EXPECT_EQ(f.stats->cancelled.get(), 1U);
}

TEST_F(SchedulerTest, WhoLeavesWhileItRunsAbortsTheHandler) {
  f.make();
  auto& test = f.submit();
  ASSERT_TRUE(loop.until([&] { return f.running() == 1 && !f.runtime.last().got.empty(); }));
  f.scheduler->cancel(test.invocation);
  auto& got = f.runtime.last().got;
  ASSERT_TRUE(loop.until([&] { return got.back().type == wire::FrameType::abort; }));
  EXPECT_EQ(test.ended, 0);
  EXPECT_EQ(f.stats->cancelled.get(), 1U);
}

TEST_F(SchedulerTest, CodeThatCannotBeLoadedFailsAllWhoWaitAndTheNextAtOnce) {
  f.runtime.loads = false;
  f.make();
  f.submit(3);
  loop.settle();
  f.runtime.template_says(wire::ControlType::failed, R"({"message":"broken"})");
  ASSERT_TRUE(loop.until([&] { return f.tests[2].ended > 0; }));
  f.submit();
  for (const auto& test : f.tests) {
    ASSERT_TRUE(test.error);
    EXPECT_EQ(test.error->message, "broken");
    EXPECT_EQ(test.ended, 1);
  }
  EXPECT_EQ(f.runtime.templates, 1) << "not built again for every request";
  EXPECT_EQ(f.stats->rejected.get(), 4U);
}

TEST_F(SchedulerTest, TheMinimumIsKeptWhateverDies) {
  f.make();
  f.scheduler->keep_minimum(3);
  ASSERT_TRUE(f.serves(3));
  f.runtime.instances[0]->die(SIGKILL);
  ASSERT_TRUE(loop.until([&] { return f.runtime.instances.size() == 4; }));
  ASSERT_TRUE(f.serves(3));
  EXPECT_EQ(capacity.used(), 3U);
  f.runtime.kill_template();
  ASSERT_TRUE(loop.until([&] { return f.runtime.instances.size() == 7; }))
      << "the template's death is no excuse";
  ASSERT_TRUE(f.serves(3));
  EXPECT_EQ(capacity.used(), 3U);
}

TEST_F(SchedulerTest, TheMinimumIsMadeAlsoWhenTheTemplateWasBeingBuiltAlready) {
  f.make();
  f.scheduler->pool().prepare([](const Result<void>&) {});
  f.scheduler->keep_minimum(2);
  ASSERT_TRUE(f.serves(2));
}

TEST_F(SchedulerTest, TheMinimumIsMadeWhenThereIsRoomAgain) {
  Capacity small(2);
  Served full(loop, small), g(loop, small);
  full.version->config.concurrency = 1;
  full.make();
  g.make();
  full.submit(2);
  ASSERT_TRUE(loop.until([&] { return full.running() == 2; }));
  g.scheduler->keep_minimum(1);
  loop.settle();
  EXPECT_EQ(g.runtime.instances.size(), 0U);
  full.runtime.instances[0]->die(W_EXITCODE(0, 0));
  ASSERT_TRUE(g.serves(1));
}

TEST_F(SchedulerTest, DrainsWhatHasBegunAndTakesNothingNew) {
  f.version->config.max_instances = 1;
  f.version->config.concurrency = 1;
  f.make();
  f.submit(2);
  ASSERT_TRUE(loop.until([&] { return f.running() == 1; }));
  int drained = 0;
  f.scheduler->drain([&] { ++drained; });
  auto& late = f.submit();
  ASSERT_TRUE(late.error);
  EXPECT_EQ(late.error->code, SchedulerErrc::unavailable);
  EXPECT_EQ(f.answer_all(), 1);
  EXPECT_EQ(drained, 0) << "one still waits";
  EXPECT_EQ(f.answer_all(), 1);
  ASSERT_TRUE(loop.until([&] { return drained == 1; }));
  EXPECT_EQ(f.answered(), 2);
}

TEST_F(SchedulerTest, AnIdleOneIsDrainedAtOnce) {
  f.make();
  int drained = 0;
  f.scheduler->drain([&] { ++drained; });
  EXPECT_EQ(drained, 1);
  f.scheduler->keep_minimum(1);
  loop.settle();
  EXPECT_EQ(f.runtime.templates, 0) << "what is leaving starts nothing";
}

TEST_F(SchedulerTest, ToZeroAndBack) {
  f.make();
  f.submit();
  ASSERT_TRUE(loop.until([&] { return f.answer_all() > 0; }));
  f.scheduler->pool().end_template();
  ASSERT_TRUE(f.serves(0));
  EXPECT_EQ(capacity.used(), 0U);
  auto& test = f.submit();
  ASSERT_TRUE(loop.until([&] { return f.answer_all() > 0; }));
  EXPECT_EQ(test.ended, 1);
  EXPECT_EQ(f.runtime.templates, 2);
}

TEST_F(SchedulerTest, WhatWaitedForAStartKnowsHowMuchOfItTheStartWas) {
  f.make();
  auto& cold = f.submit();
  ASSERT_TRUE(loop.until([&] { return f.answer_all() > 0; }));
  EXPECT_GT(cold.invocation.start_cost, 0ns);
  EXPECT_LE(cold.invocation.start_cost, cold.invocation.started - cold.invocation.accepted);
  EXPECT_EQ(f.submit().invocation.start_cost, 0ns) << "the instance was there";
}

TEST_F(SchedulerTest, AnInstanceThatDiesLosesWhatRanAndNothingThatWaited) {
  f.version->config.max_instances = 1;
  f.version->config.concurrency = 1;
  f.make();
  f.submit(3);
  ASSERT_TRUE(loop.until([&] { return f.running() == 1; }));
  f.runtime.last().die(W_EXITCODE(1, 0));
  ASSERT_TRUE(loop.until([&] { return f.runtime.instances.size() == 2 && f.running() == 1; }));
  EXPECT_EQ(f.answer_all(), 1);
  EXPECT_EQ(f.answer_all(), 1);
  EXPECT_EQ(f.answered(), 2);
  EXPECT_EQ(f.tests[0].error->code, pool::PoolErrc::instance_exited);
}

TEST_F(SchedulerTest, AFloodedFunctionLeavesOthersTheirTurn) {
  Capacity small(3);
  Served flooded(loop, small), g(loop, small);
  flooded.version->config.concurrency = g.version->config.concurrency = 1;
  flooded.make();
  g.make();
  flooded.submit(50);
  ASSERT_TRUE(loop.until([&] { return flooded.running() == 3; }));
  g.submit(1);
  loop.settle();
  EXPECT_EQ(g.runtime.templates, 1);
  EXPECT_EQ(g.running(), 0U) << "no room yet";
  // The first instance of the flooded function that comes free makes room, however many wait there.
  auto& first = *flooded.runtime.instances[0];
  first.respond(first.take_invoke().stream, 200, {}, "ok");
  ASSERT_TRUE(loop.until([&] { return g.running() == 1; }));
  EXPECT_EQ(small.used(), 3U);
  ASSERT_TRUE(loop.until([&] {
    flooded.answer_all();
    g.answer_all();
    return flooded.answered() == 50 && g.answered() == 1;
  }));
}

TEST_F(SchedulerTest, GoesAndGivesItsRoomBack) {
  f.make();
  f.submit(2);
  ASSERT_TRUE(loop.until([&] { return f.running() == 2; }));
  EXPECT_EQ(capacity.used(), 2U);
  f.scheduler.reset();
  EXPECT_EQ(capacity.used(), 0U);
  EXPECT_FALSE(capacity.wanted());
}

TEST(DeadlineError, SaysWhereTheTimeWent) {
  const auto error = deadline_error(10s, 9'200ms, 800ms);
  EXPECT_EQ(error.message, "deadline 10 s: 9.2 s waiting, 800 ms running");
  EXPECT_EQ(error.detail("waited"), "9.2 s");
  EXPECT_EQ(deadline_error(5ms, -1ns, 0ns).detail("waited"), "0 ms");
}

}  // namespace
}  // namespace mayfly::scheduler
