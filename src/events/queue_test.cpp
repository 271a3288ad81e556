#include "events/queue.h"

#include "events/queue_test_support.h"

namespace mayfly::events {
namespace {

using namespace std::chrono_literals;

TEST_F(QueueTest, DeliversInOrderAndNotMoreAtOnceThanItMay) {
  policy.concurrency = 2;
  queue->set(policy, {});
  const auto first = publish("a");
  publish("b");
  const auto third = publish("c");
  ASSERT_TRUE(delivering(2));
  EXPECT_EQ(state(first), State::running);
  EXPECT_EQ(state(third), State::queued);
  deliverer.end(kSucceeded);
  ASSERT_TRUE(delivering(2));
  EXPECT_EQ(deliverer.bodies, (std::vector<std::string>{"a", "b", "c"}));
  ASSERT_TRUE(comes_to(first, State::succeeded));
  const auto record = find(first);
  EXPECT_EQ(record.attempts, 1);
  ASSERT_TRUE(record.finished);
}

TEST_F(QueueTest, WhatFailsIsTriedAgainLaterEachTimeLater) {
  policy.backoff = 1s;
  policy.attempts = 3;
  queue->set(policy, {});
  const auto event = publish("a");
  ASSERT_TRUE(delivering(1));
  deliverer.end(kFailed);
  ASSERT_TRUE(comes_to(event, State::failed));
  settle();
  EXPECT_TRUE(deliverer.opened.empty()) << "at once";
  advance(499ms);  // half of the delay is certain
  settle();
  EXPECT_TRUE(deliverer.opened.empty());
  advance(600ms);
  ASSERT_TRUE(delivering(1));
  EXPECT_EQ(deliverer.opened.front()->task.items[0].attempt, 2);
  deliverer.end(kFailed);
  ASSERT_TRUE(comes_to(event, State::failed));
  advance(999ms);
  settle();
  EXPECT_TRUE(deliverer.opened.empty()) << "the second delay is twice as long";
  advance(1100ms);
  ASSERT_TRUE(delivering(1));
  deliverer.end(kFailed);
  ASSERT_TRUE(comes_to(event, State::dead));
  const auto record = find(event);
  ASSERT_EQ(record.history.size(), 3U);
  EXPECT_EQ(record.history[2].number, 3);
  EXPECT_EQ(record.history[2].type, "test:failed");
  EXPECT_EQ(record.history[2].version, "f@1");
}

TEST_F(QueueTest, WhatTheFunctionCannotTakeNowCostsNoAttempt) {
  policy.attempts = 1;
  queue->set(policy, {});
  const auto event = publish("a");
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(delivering(1));
    deliverer.end(Verdict::Kind::not_tried);
    settle();
    EXPECT_TRUE(deliverer.opened.empty()) << "the queue holds on";
    advance(6s);
  }
  ASSERT_TRUE(delivering(1));
  EXPECT_EQ(deliverer.opened.front()->task.items[0].attempt, 1);
  deliverer.end(kSucceeded);
  ASSERT_TRUE(comes_to(event, State::succeeded));
}

TEST_F(QueueTest, APartitionThatHasAsManyAsItMayHoldsUpNoOther) {
  policy.concurrency = 3;
  policy.most_of_partition = 1;
  queue->set(policy, {});
  publish("a", "slow");
  const auto second = publish("b", "slow");
  publish("c", "other");
  publish("d");
  publish("e");
  ASSERT_TRUE(delivering(3));
  EXPECT_EQ(deliverer.bodies, (std::vector<std::string>{"a", "c", "d"}));
  EXPECT_EQ(state(second), State::queued);
  deliverer.end(kSucceeded);
  ASSERT_TRUE(delivering(3));
  EXPECT_EQ(deliverer.bodies.back(), "b");
}

TEST_F(QueueTest, APartitionThatGoesOnSlowlyLeavesTheWindowToOthers) {
  constexpr std::size_t kCount = 40;
  policy.concurrency = 2;
  policy.most_of_partition = 1;
  queue->set(policy, {});
  const std::string large(512U << 10U, 'x');  // 32 of them are the window
  for (std::size_t i = 0; i < kCount; ++i) publish(large, "slow");
  const auto other = publish("other", "other");
  ASSERT_TRUE(delivering(1));
  settle();
  EXPECT_EQ(deliverer.bodies.size(), 1U) << "there is no room for it yet";
  advance(2'500ms);
  ASSERT_TRUE(delivering(2));
  EXPECT_EQ(deliverer.bodies.back(), "other");
  while (deliverer.bodies.size() < kCount + 1 || !deliverer.opened.empty()) {
    while (!deliverer.opened.empty()) {
      EXPECT_EQ(deliverer.opened.front()->task.items[0].attempt, 1);
      deliverer.end(kSucceeded);
      settle();
    }
    advance(10s);
    ASSERT_LT(clock.now(), MonotonicTime{} + 1h) << deliverer.bodies.size() << " of them";
    settle();
  }
  EXPECT_EQ(deliverer.bodies.size(), kCount + 1);
  ASSERT_TRUE(comes_to(other, State::succeeded));
}

TEST_F(QueueTest, AnAttemptHasTheFormThatGoesWithItsSize) {
  policy.concurrency = 1;
  policy.batch = 2;
  queue->set(policy, {});
  queue->pause(true);
  for (const char* body : {"a", "b", "c", "d"}) publish(body);
  queue->pause(false);
  ASSERT_TRUE(delivering(1));
  policy.batch = 1;
  policy.as_requests = true;
  queue->set(policy, {});
  EXPECT_FALSE(deliverer.opened.front()->task.as_requests);
  deliverer.end(kSucceeded);
  ASSERT_TRUE(delivering(1));
  EXPECT_EQ(deliverer.bodies, (std::vector<std::string>{"ab", "c"}));
  EXPECT_TRUE(deliverer.opened.front()->task.as_requests);
}

TEST_F(QueueTest, AHopelessFailureIsNotTriedAgain) {
  const auto event = publish("a");
  ASSERT_TRUE(delivering(1));
  deliverer.end(Verdict::Kind::hopeless);
  ASSERT_TRUE(comes_to(event, State::dead));
}

TEST_F(QueueTest, ADelayBeyondItsAgeEndsWithIt) {
  policy.max_age = 1h;
  queue->set(policy, {});
  const auto event = publish("a");
  const auto refuse = [&] {
    ASSERT_TRUE(delivering(1));
    const auto open = deliverer.opened.front();
    deliverer.opened.pop_front();
    open->then({Verdict{kFailed, {}, "f@1", "status", {}, 24h}});
    settle();
  };
  refuse();
  EXPECT_EQ(state(event), State::failed) << "it has had one attempt of five";
  advance(59min);
  settle();
  EXPECT_TRUE(deliverer.opened.empty());
  advance(1min + 5s);  // a little late
  refuse();
  EXPECT_EQ(state(event), State::dead);
  EXPECT_EQ(find(event).history.size(), 2U);
}

TEST_F(QueueTest, NothingIsTooOldBecauseTheClockWasPutForward) {
  policy.max_age = 1h;
  queue->set(policy, {});
  queue->pause(true);
  const auto event = publish("a");
  clock.jump(48h);
  advance(1min);
  settle();
  EXPECT_EQ(state(event), State::queued);
  EXPECT_GT(wheel->next(), clock.now() + 1s) << "it does not look all the time";
  queue->pause(false);
  ASSERT_TRUE(delivering(1));
  deliverer.end(kFailed);
  settle();
  EXPECT_EQ(state(event), State::failed);
}

TEST_F(QueueTest, WhatIsTooOldIsGivenUp) {
  policy.max_age = 1h;
  queue->set(policy, {});
  queue->pause(true);
  const auto event = publish("a");
  advance(2h);
  const auto young = publish("b");
  queue->pause(false);
  ASSERT_TRUE(comes_to(event, State::dead));
  ASSERT_TRUE(delivering(1));
  EXPECT_EQ(deliverer.bodies, std::vector<std::string>{"b"});
  ASSERT_EQ(find(event).history.size(), 1U);
  EXPECT_EQ(find(event).history[0].type, "events:too-old");
}

TEST_F(QueueTest, AnotherFilterCountsForWhatWaits) {
  queue->pause(true);
  publish("no");
  publish("yes");
  ASSERT_TRUE(until([&] { return queue->figures().waiting == 2; }));
  queue->set(policy, [](const Event& event) { return event.body != "no"; });
  queue->pause(false);
  ASSERT_TRUE(delivering(1));
  deliverer.end(kSucceeded);
  settle();
  EXPECT_EQ(deliverer.bodies, std::vector<std::string>{"yes"});
}

TEST_F(QueueTest, OfAPartitionOneAfterAnotherAlsoWhenOneFails) {
  policy.ordered = true;
  policy.backoff = 1s;
  queue->set(policy, {});
  const auto first = publish("a1", "a");
  publish("a2", "a");
  publish("b1", "b");
  publish("free");
  ASSERT_TRUE(delivering(3));
  EXPECT_EQ(deliverer.bodies, (std::vector<std::string>{"a1", "b1", "free"}));
  deliverer.end(kFailed);
  ASSERT_TRUE(comes_to(first, State::failed));
  settle();
  EXPECT_EQ(deliverer.opened.size(), 2U) << "a2 must not pass a1";
  advance(2s);
  ASSERT_TRUE(delivering(3));
  EXPECT_EQ(deliverer.bodies.back(), "a1");
  deliverer.opened.push_front(deliverer.opened.back());  // a1 ends first
  deliverer.opened.pop_back();
  deliverer.end(kSucceeded);
  ASSERT_TRUE(delivering(3));
  EXPECT_EQ(deliverer.bodies.back(), "a2");
}

TEST_F(QueueTest, ABatchWaitsToBecomeFullAndSingleOnesAreTriedAgain) {
  policy.batch = 3;
  policy.batch_wait = 1s;
  policy.backoff = 1s;
  queue->set(policy, {});
  const auto first = publish("a");
  const auto second = publish("b");
  settle();
  EXPECT_TRUE(deliverer.opened.empty());
  publish("c");
  ASSERT_TRUE(delivering(1));
  const auto open = deliverer.opened.front();
  deliverer.opened.clear();
  EXPECT_EQ(open->body(), "abc");
  std::vector<Verdict> verdicts(3);
  verdicts[1].kind = kFailed;
  open->then(verdicts);
  ASSERT_TRUE(comes_to(first, State::succeeded));
  ASSERT_TRUE(comes_to(second, State::failed));
  advance(1100ms);
  settle();
  EXPECT_TRUE(deliverer.opened.empty()) << "it waits for others again";
  advance(1100ms);
  ASSERT_TRUE(delivering(1));
  EXPECT_EQ(deliverer.opened.front()->body(), "b");
}

TEST_F(QueueTest, WhatIsNotForItIsPassedOver) {
  filter = [](const Event& event) { return event.body != "no"; };
  queue->set(policy, filter);
  publish("no");
  const auto event = publish("yes");
  ASSERT_TRUE(delivering(1));
  deliverer.end(kSucceeded);
  ASSERT_TRUE(comes_to(event, State::succeeded));
  open();
  settle();
  EXPECT_EQ(info.cursor, event->position);
  EXPECT_TRUE(deliverer.opened.empty());
}

TEST_F(QueueTest, AfterAStartWhatHadNotEndedIsDeliveredAndNothingElse) {
  policy.backoff = 1min;
  queue->set(policy, {});
  const auto failed = publish("failed");
  const auto running = publish("running");
  const auto done = publish("done");
  ASSERT_TRUE(delivering(3));
  const auto last = deliverer.opened.back();
  deliverer.end(kFailed);
  last->then(std::vector<Verdict>(1));
  ASSERT_TRUE(comes_to(failed, State::failed));
  ASSERT_TRUE(comes_to(done, State::succeeded));
  open();
  ASSERT_TRUE(delivering(1));
  settle();
  EXPECT_EQ(deliverer.opened.size(), 1U);
  EXPECT_EQ(deliverer.opened.front()->body(), "running");
  EXPECT_EQ(state(failed), State::failed);
  deliverer.end(kSucceeded);
  ASSERT_TRUE(comes_to(running, State::succeeded));
  advance(2min);
  ASSERT_TRUE(delivering(1));
  EXPECT_EQ(deliverer.opened.front()->body(), "failed");
  EXPECT_EQ(deliverer.opened.front()->task.items[0].attempt, 2) << "attempts are remembered";
}

TEST_F(QueueTest, WhatIsDueMuchLaterIsForgottenAndComesBack) {
  policy.backoff = 1h;
  queue->set(policy, {});
  const auto event = publish("a");
  ASSERT_TRUE(delivering(1));
  deliverer.end(kFailed);
  ASSERT_TRUE(comes_to(event, State::failed));
  settle();
  EXPECT_EQ(queue->figures().waiting, 0U) << "it is on disk alone";
  for (int i = 0; i < 120 && deliverer.opened.empty(); ++i) {
    advance(1min);
    settle();
  }
  ASSERT_EQ(deliverer.opened.size(), 1U);
  EXPECT_EQ(deliverer.opened.front()->task.items[0].attempt, 2);
}

TEST_F(QueueTest, ManyWaitOnDiskAndEachIsDeliveredOnce) {
  constexpr int kCount = 3000;
  queue->pause(true);
  std::vector<NewEvent> events(kCount);
  for (int i = 0; i < kCount; ++i) {
    events[static_cast<std::size_t>(i)].stream = stream.id;
    events[static_cast<std::size_t>(i)].body = std::to_string(i);
  }
  const auto accepted = wait<std::vector<Accepted>>([&](auto then) { store->append(events, then); });
  for (const auto& one : accepted) queue->on_appended(one.event);
  settle();
  EXPECT_LE(queue->figures().waiting, Queue::kWindowCount);
  EXPECT_EQ(queue->figures().waiting + queue->figures().backlog, kCount);
  queue->pause(false);
  ASSERT_TRUE(until([&] {
    while (!deliverer.opened.empty()) deliverer.end(kSucceeded);
    return queue->figures().succeeded == kCount;
  }));
  const std::set<std::string> different(deliverer.bodies.begin(), deliverer.bodies.end());
  EXPECT_EQ(different.size(), static_cast<std::size_t>(kCount));
  EXPECT_EQ(deliverer.bodies.size(), static_cast<std::size_t>(kCount));
}

TEST_F(QueueTest, WithoutAFunctionNothingIsAttempted) {
  queue->attach(false);
  const auto event = publish("a");
  settle();
  EXPECT_TRUE(deliverer.opened.empty());
  EXPECT_EQ(state(event), State::queued);
  queue->attach(true);
  ASSERT_TRUE(delivering(1));
}

}  // namespace
}  // namespace mayfly::events
