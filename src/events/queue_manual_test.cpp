// What people do to single deliveries.
#include "events/queue_test_support.h"

namespace mayfly::events {
namespace {

using namespace std::chrono_literals;

struct QueueManualTest : QueueTest {
  DeliveryId id(const EventPtr& event) { return {stream.id, event->position, info.id, event->check}; }
  Then<State> into(std::optional<Result<State>>& answer) {
    return [&answer](Result<State> result) { answer = std::move(result); };
  }
  Result<State> cancel(const EventPtr& event) {
    std::optional<Result<State>> answer;
    queue->cancel(id(event), into(answer));
    EXPECT_TRUE(until([&] { return answer.has_value(); }));
    return answer.value_or(State::queued);
  }
  Result<State> retry(const EventPtr& event) {
    std::optional<Result<State>> answer;
    queue->retry(id(event), into(answer));
    EXPECT_TRUE(until([&] { return answer.has_value(); }));
    return answer.value_or(State::running);
  }
};

TEST_F(QueueManualTest, WhatWaitsIsCancelledForGood) {
  queue->pause(true);
  const auto event = publish("a");
  const auto cancelled = cancel(event);
  ASSERT_TRUE(cancelled);
  EXPECT_EQ(*cancelled, State::cancelled);
  queue->pause(false);
  settle();
  EXPECT_TRUE(deliverer.opened.empty());
  open();
  settle();
  EXPECT_TRUE(deliverer.opened.empty());
  EXPECT_EQ(state(event), State::cancelled);
}

TEST_F(QueueManualTest, WhatRunsIsToldAndItsEndIsACancellation) {
  const auto event = publish("a");
  ASSERT_TRUE(delivering(1));
  std::optional<Result<State>> answer;
  queue->cancel(id(event), into(answer));
  EXPECT_TRUE(deliverer.opened.front()->cancelled);
  EXPECT_FALSE(answer);
  deliverer.end(kFailed);
  ASSERT_TRUE(until([&] { return answer.has_value(); }));
  EXPECT_EQ(answer->value(), State::cancelled);
}

TEST_F(QueueManualTest, ABatchIsToldWhenNobodyWantsAnyOfItAnyMore) {
  policy.batch = 2;
  policy.attempts = 1;
  queue->set(policy, {});
  queue->pause(true);
  const std::vector<EventPtr> events{publish("a"), publish("b"), publish("c"), publish("d")};
  queue->pause(false);
  ASSERT_TRUE(delivering(2));
  std::vector<std::optional<Result<State>>> answers(3);
  queue->cancel(id(events[0]), into(answers[0]));
  EXPECT_FALSE(deliverer.opened[0]->cancelled) << "the other one would fail with it";
  queue->cancel(id(events[2]), into(answers[1]));
  queue->cancel(id(events[3]), into(answers[2]));
  EXPECT_TRUE(deliverer.opened[1]->cancelled);
  EXPECT_FALSE(deliverer.opened[0]->cancelled);
  deliverer.end(kSucceeded);
  deliverer.end(kFailed);
  ASSERT_TRUE(comes_to(events[1], State::succeeded));
  for (const std::size_t one : {2U, 3U}) EXPECT_TRUE(comes_to(events[one], State::cancelled));
}

TEST_F(QueueManualTest, WhatSucceedsAllTheSameHasSucceeded) {
  const auto event = publish("a");
  ASSERT_TRUE(delivering(1));
  std::optional<Result<State>> answer;
  queue->cancel(id(event), into(answer));
  deliverer.end(kSucceeded);
  ASSERT_TRUE(until([&] { return answer.has_value(); }));
  EXPECT_EQ(answer->value(), State::succeeded);
}

TEST_F(QueueManualTest, WhatIsGivenUpRunsToItsEndAndIsNotTriedAgain) {
  for (const bool succeeds : {true, false}) {
    const auto event = publish("a");
    ASSERT_TRUE(delivering(1));
    std::optional<Result<State>> answer;
    queue->give_up(id(event), into(answer));
    EXPECT_FALSE(deliverer.opened.front()->cancelled);
    deliverer.end(succeeds ? kSucceeded : kFailed);
    ASSERT_TRUE(until([&] { return answer.has_value(); }));
    EXPECT_EQ(answer->value(), succeeds ? State::succeeded : State::cancelled);
    settle();
    EXPECT_TRUE(deliverer.opened.empty());
  }
}

TEST_F(QueueManualTest, WhatIsFarFromItsNextAttemptIsCancelled) {
  policy.backoff = 1h;
  queue->set(policy, {});
  const auto event = publish("a");
  ASSERT_TRUE(delivering(1));
  deliverer.end(kFailed);
  ASSERT_TRUE(comes_to(event, State::failed));
  settle();
  ASSERT_TRUE(cancel(event));
  for (int i = 0; i < 100; ++i) advance(1min);
  settle();
  EXPECT_TRUE(deliverer.opened.empty());
}

TEST_F(QueueManualTest, WhatHasEndedIsNotCancelled) {
  const auto event = publish("a");
  ASSERT_TRUE(delivering(1));
  deliverer.end(kSucceeded);
  ASSERT_TRUE(comes_to(event, State::succeeded));
  const auto cancelled = cancel(event);
  ASSERT_FALSE(cancelled);
  EXPECT_EQ(cancelled.error().code, EventsErrc::delivery_ended);
}

TEST_F(QueueManualTest, ADeadOneIsTriedFromTheBeginning) {
  policy.attempts = 1;
  policy.max_age = 1h;
  queue->set(policy, {});
  const auto event = publish("a");
  ASSERT_TRUE(delivering(1));
  deliverer.end(kFailed);
  ASSERT_TRUE(comes_to(event, State::dead));
  advance(48h);
  ASSERT_TRUE(retry(event));
  ASSERT_TRUE(delivering(1)) << "its age counts from now";
  EXPECT_EQ(deliverer.opened.front()->task.items[0].attempt, 1);
  EXPECT_FALSE(retry(event)) << "it runs";
  deliverer.end(kSucceeded);
  ASSERT_TRUE(comes_to(event, State::succeeded));
}

TEST_F(QueueManualTest, WhatWaitsForItsNextAttemptNeedNot) {
  policy.backoff = 20s;
  queue->set(policy, {});
  const auto event = publish("a");
  ASSERT_TRUE(delivering(1));
  deliverer.end(kFailed);
  ASSERT_TRUE(comes_to(event, State::failed));
  settle();
  ASSERT_TRUE(retry(event));
  ASSERT_TRUE(delivering(1));
  EXPECT_EQ(deliverer.opened.front()->task.items[0].attempt, 1) << "from the beginning";
}

TEST_F(QueueManualTest, ARetryOfWhatWaitsIsKept) {
  policy.backoff = 20s;
  policy.max_age = 1h;
  queue->set(policy, {});
  const auto event = publish("a");
  ASSERT_TRUE(delivering(1));
  deliverer.end(kFailed);
  ASSERT_TRUE(comes_to(event, State::failed));
  settle();
  queue->pause(true);
  advance(15s);
  const auto again = retry(event);
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, State::queued);
  open();  // as after a kill
  queue->pause(true);
  const auto record = find(event);
  EXPECT_EQ(record.attempts, 0);
  EXPECT_EQ(record.since, std::chrono::floor<std::chrono::milliseconds>(clock.wall()))
      << "its age counts anew";
  queue->pause(false);
  ASSERT_TRUE(delivering(1));
  EXPECT_EQ(deliverer.opened.front()->task.items[0].attempt, 1);
}

}  // namespace
}  // namespace mayfly::events
