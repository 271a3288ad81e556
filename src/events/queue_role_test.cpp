// Queues whose deliveries are parts of something larger.
#include "events/queue_role.h"

#include <algorithm>

#include "events/queue_test_support.h"
#include "events/transaction.h"

namespace mayfly::events {
namespace {

using namespace std::chrono_literals;

/// The body of an event says how often it is attempted. Of each end a document is written, with one event.
class TestRole final : public QueueRole {
 public:
  Policy policy(const Event& event, const Policy& queue) const override {
    auto policy = queue;
    policy.attempts = std::stoi(event.body);
    policy.max_age = std::chrono::hours(policy.attempts);
    return policy;
  }
  Decision decision(const EventPtr& event, const DeliveryId& id, const Outcome& end) const override {
    const auto value = std::string(name_of(end.state)) + " " + to_text(id);
    return [event, value, stream = end.stream](Transaction& transaction) -> Result<void> {
      if (auto done = transaction.put("end/" + event->body, value); !done) return done;
      if (auto done = transaction.append({.stream = stream, .body = "100"}); !done) return propagate(done);
      return {};
    };
  }
};

struct QueueRoleTest : QueueTest {
  QueueRoleTest() {
    policy.backoff = 1s;
    policy.max_age = 1min;
    queue->set(policy, {}, std::make_shared<TestRole>());
    queue->follow_up = [this](const std::vector<EventPtr>& events) {
      for (const auto& event : events) {
        followed.push_back(event);
        queue->on_appended(event);
      }
    };
  }
  std::string document(const std::string& key) {
    const auto found =
        wait<std::vector<Document>>([&](auto then) { store->documents({.prefix = key}, then); });
    return found.empty() ? "" : found.front().value;
  }
  std::string named(const EventPtr& event) {
    return to_text({stream.id, event->position, info.id, event->check});
  }

  std::vector<EventPtr> followed;
};

TEST_F(QueueRoleTest, EachEventIsAttemptedAsItsRoleSays) {
  const auto once = publish("1");
  const auto twice = publish("2");
  ASSERT_TRUE(delivering(2));
  deliverer.end(kFailed);
  deliverer.end(kFailed);
  ASSERT_TRUE(comes_to(once, State::dead));
  ASSERT_TRUE(comes_to(twice, State::failed));
  EXPECT_EQ(document("end/1"), "dead " + named(once));
  EXPECT_EQ(document("end/2"), "");
}

TEST_F(QueueRoleTest, WhatFollowsIsDeliveredToo) {
  const auto event = publish("1");
  ASSERT_TRUE(delivering(1));
  deliverer.end(kSucceeded);
  ASSERT_TRUE(until([&] { return deliverer.bodies.size() == 2; }));
  EXPECT_EQ(deliverer.bodies.back(), "100");
  ASSERT_EQ(followed.size(), 1U);
  EXPECT_EQ(document("end/1"), "succeeded " + named(event));
}

TEST_F(QueueRoleTest, GrowsOldAsItsRoleSays) {
  queue->attach(false);
  const auto young = publish("9");  // hours; behind the old one, and before it
  const auto old = publish("2");
  advance(3h);
  ASSERT_TRUE(comes_to(old, State::dead));
  EXPECT_EQ(state(young), State::queued);
  EXPECT_EQ(document("end/2"), "dead " + named(old));
}

TEST_F(QueueRoleTest, OneWhoseFunctionIsNotThereDoesNotKeepOthersWaiting) {
  const auto absent = publish("1");
  ASSERT_TRUE(delivering(1));
  deliverer.end(Verdict::Kind::not_tried);
  ASSERT_TRUE(comes_to(absent, State::queued));
  settle();
  const auto other = publish("2");
  ASSERT_TRUE(delivering(1)) << "nothing waits for the absent one";
  deliverer.end(kSucceeded);
  ASSERT_TRUE(comes_to(other, State::succeeded));
  settle();
  advance(1s);
  ASSERT_TRUE(until([&] { return std::ranges::count(deliverer.bodies, "1") == 2; })) << "it is tried again";
  EXPECT_EQ(find(absent).attempts, 0) << "that was no attempt";
}

TEST_F(QueueRoleTest, ACancellationIsAnEndToo) {
  queue->attach(false);
  const auto event = publish("1");
  settle();
  queue->cancel({stream.id, event->position, info.id, event->check}, [](Result<State>) {});
  ASSERT_TRUE(comes_to(event, State::cancelled));
  EXPECT_EQ(document("end/1"), "cancelled " + named(event));
}

TEST_F(QueueRoleTest, OneThatIsOnDiskAloneHasItsEndAndWhatFollowsToo) {
  queue->attach(false);
  NewEvent far{.stream = stream.id, .body = "1", .not_before = clock.wall() + 72h};
  const auto accepted = wait<std::vector<Accepted>>([&](auto then) { store->append({far}, then); });
  const auto event = accepted.at(0).event;
  queue->on_appended(event);
  settle();
  ASSERT_FALSE(queue->peek(event->position)) << "it is forgotten until it is near";
  queue->cancel({stream.id, event->position, info.id, event->check}, [](Result<State>) {});
  ASSERT_TRUE(comes_to(event, State::cancelled));
  EXPECT_EQ(document("end/1"), "cancelled " + named(event));
  ASSERT_TRUE(until([&] { return followed.size() == 1; }));
}

TEST_F(QueueRoleTest, WhatHasEndedIsNotAttemptedByItselfAgain) {
  const auto event = publish("1");
  ASSERT_TRUE(delivering(1));
  deliverer.end(kFailed);
  ASSERT_TRUE(comes_to(event, State::dead));
  std::optional<Result<State>> answer;
  queue->retry({stream.id, event->position, info.id, event->check},
               [&](Result<State> state) { answer = std::move(state); });
  ASSERT_TRUE(until([&] { return answer.has_value(); }));
  ASSERT_FALSE(*answer);
  EXPECT_EQ(answer->error().code, EventsErrc::delivery_ended);
  EXPECT_EQ(state(event), State::dead);
}

}  // namespace
}  // namespace mayfly::events
