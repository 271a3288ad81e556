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
  EXPECT_EQ(deliverer.opened.front()->task.items[0].attempt, 2);
}

}  // namespace
}  // namespace mayfly::events
