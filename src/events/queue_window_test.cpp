// What of a queue is in memory, and what is not forgotten on disk.
#include "events/queue_test_support.h"
#include "store/faulty_vfs_test_support.h"

namespace mayfly::events {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMega = 1U << 20U;

struct QueueWindowTest : QueueTest {
  /// Ends whatever is begun, until so many were delivered altogether.
  [[nodiscard]] bool delivers(std::size_t bodies) {
    return until([&] {
      while (!deliverer.opened.empty()) deliverer.end(kSucceeded);
      return deliverer.bodies.size() >= bodies;
    });
  }
  Position stored_cursor() {
    return wait<std::vector<QueueInfo>>([&](auto then) { store->queues(then); }).at(0).cursor;
  }
};

TEST_F(QueueWindowTest, WhoeverComesAfterOrderWasGivenUpIsNotHeldUpByIt) {
  policy.ordered = true;
  queue->set(policy, {});
  publish("a", "p");
  publish("b", "p");
  ASSERT_TRUE(delivering(1));
  policy.ordered = false;
  queue->set(policy, {});
  publish("c", "p");
  ASSERT_TRUE(delivering(3));
}

TEST_F(QueueWindowTest, OrderThatIsWantedFromNowOnHoldsForWhatWaits) {
  queue->pause(true);
  publish("a", "p");
  publish("b", "p");
  policy.ordered = true;
  queue->set(policy, {});
  queue->pause(false);
  settle();
  ASSERT_EQ(deliverer.opened.size(), 1U);
  deliverer.end(kSucceeded);
  ASSERT_TRUE(delivering(1));
  EXPECT_EQ(deliverer.bodies, (std::vector<std::string>{"a", "b"}));
}

TEST_F(QueueWindowTest, LargeEventsThatAreDueLaterAreAllTriedAgain) {
  policy.backoff = 1h;
  queue->set(policy, {});
  for (int i = 0; i < 5; ++i) {
    publish(std::string(5 * kMega, static_cast<char>('a' + i)));
    ASSERT_TRUE(delivering(1));
    deliverer.end(kFailed);
    settle();
  }
  advance(2h);
  ASSERT_TRUE(delivers(10));
  std::set<char> again;
  for (std::size_t i = 5; i < 10; ++i) again.insert(deliverer.bodies[i].front());
  EXPECT_EQ(again.size(), 5U);
}

TEST_F(QueueWindowTest, WhatIsNotForItIsNotKeptForItAndNotReadAgain) {
  filter = [](const Event&) { return false; };
  queue->set(policy, filter);
  NewEvent event;
  event.stream = stream.id;
  const auto accepted = wait<std::vector<Accepted>>(
      [&](auto then) { store->append(std::vector<NewEvent>(1'500, event), then); });
  for (const auto& one : accepted) queue->on_appended(one.event);
  ASSERT_TRUE(until([&] { return stored_cursor() >= 1'000; }));
}

TEST_F(QueueWindowTest, WhatNobodyTakesIsGivenUpWhenItIsTooOld) {
  policy.max_age = 30s;
  queue->set(policy, {});
  queue->pause(true);
  const auto event = publish("a");
  settle();
  advance(31s);
  ASSERT_TRUE(comes_to(event, State::dead));
  EXPECT_EQ(find(event).history.at(0).type, "events:too-old");
}

TEST_F(QueueWindowTest, WhatWaitsForItsNextAttemptIsPartOfTheBacklog) {
  policy.backoff = 1h;
  queue->set(policy, {});
  std::vector<EventPtr> events;
  for (const char* body : {"a", "b", "c"}) events.push_back(publish(body));
  EXPECT_EQ(queue->backlog(), 3U);
  ASSERT_TRUE(delivering(3));
  for (int i = 0; i < 3; ++i) deliverer.end(kFailed);
  settle();
  EXPECT_EQ(queue->backlog(), 3U) << "they are not in the window any more";
  open();
  settle();
  EXPECT_EQ(queue->backlog(), 3U);
  std::optional<Result<State>> answer;
  queue->cancel({stream.id, events[0]->position, info.id, events[0]->check},
                [&](auto result) { answer = result; });
  ASSERT_TRUE(until([&] { return answer.has_value(); }));
  EXPECT_EQ(queue->backlog(), 2U);
  advance(2h);
  ASSERT_TRUE(delivers(5));
  settle();
  EXPECT_EQ(queue->backlog(), 0U);
}

TEST_F(QueueWindowTest, WhatThereWasNoRoomForIsReadWhenTheWindowIsHalfEmpty) {
  constexpr std::size_t kCount = 1'100;
  policy.concurrency = 1;
  queue->set(policy, {});
  NewEvent later;
  later.stream = stream.id;
  later.not_before = clock.wall() + 1h;
  const auto accepted = wait<std::vector<Accepted>>(
      [&](auto then) { store->append(std::vector<NewEvent>(kCount, later), then); });
  for (const auto& one : accepted) queue->on_appended(one.event);
  settle();
  advance(2h);
  settle();
  const auto in_window = [&] { return queue->figures().waiting + queue->figures().running; };
  EXPECT_EQ(in_window(), Queue::kWindowCount);
  deliverer.end(kSucceeded);
  settle();
  EXPECT_EQ(in_window(), Queue::kWindowCount - 1) << "not for one alone";
  policy.concurrency = 200;
  queue->set(policy, {});
  ASSERT_TRUE(delivers(kCount));
}

TEST_F(QueueWindowTest, AFullWindowDoesNotMakeItLookForRoomAllTheTime) {
  policy.backoff = 1h;
  queue->set(policy, {});
  publish("later");
  ASSERT_TRUE(delivering(1));
  deliverer.end(kFailed);
  settle();
  queue->pause(true);
  publish(std::string(9 * kMega, 'x'));
  publish(std::string(9 * kMega, 'y'));
  settle();
  advance(2h);
  settle();
  EXPECT_GT(wheel->next(), clock.now() + 1s);
  queue->pause(false);
  ASSERT_TRUE(delivers(4));
  EXPECT_EQ(deliverer.bodies.back(), "later");
}

TEST_F(QueueWindowTest, AStoppedQueueWaitsForNothing) {
  policy.backoff = 5s;
  queue->set(policy, {});
  publish("a");
  ASSERT_TRUE(delivering(1));
  deliverer.end(kFailed);
  settle();
  EXPECT_EQ(wheel->size(), 1U);
  queue->stop();
  EXPECT_EQ(wheel->size(), 0U);
  queue->pause(false);
  EXPECT_EQ(wheel->size(), 0U);
}

/// On a disk that fails when it is told to.
struct QueueOnBadDiskTest : QueueWindowTest {
  QueueOnBadDiskTest() {
    vfs = store::FaultyVfs::kName;
    open();
  }
  ~QueueOnBadDiskTest() override {
    queue.reset();
    store.reset();
  }
  store::FaultyVfs disk;
};

TEST_F(QueueOnBadDiskTest, ACancellationThatIsNotWrittenLosesNothing) {
  queue->pause(true);
  publish(std::string(9 * kMega, 'x'));
  publish(std::string(9 * kMega, 'y'));
  const auto behind = publish("behind the window");
  settle();
  disk.fail_writes_after(0);
  std::optional<Result<State>> answer;
  queue->cancel({stream.id, behind->position, info.id, behind->check}, [&](auto result) { answer = result; });
  ASSERT_TRUE(until([&] { return answer.has_value(); }));
  EXPECT_FALSE(*answer);
  disk.fail_writes_after(-1);
  queue->pause(false);
  ASSERT_TRUE(delivers(3));
  ASSERT_TRUE(comes_to(behind, State::succeeded));
}

TEST_F(QueueOnBadDiskTest, NothingIsAttemptedWhileWhatCameOfOthersCannotBeWritten) {
  policy.concurrency = 1;
  queue->set(policy, {});
  const auto first = publish("a");
  publish("b");
  publish("c");
  ASSERT_TRUE(delivering(1));
  disk.fail_writes_after(0);
  deliverer.end(kSucceeded);
  ASSERT_TRUE(until([&] { return quiet(); }));
  deliverer.end(kSucceeded);  // of the one that was begun before the failure was known
  ASSERT_TRUE(until([&] { return quiet(); }));
  EXPECT_EQ(deliverer.bodies, (std::vector<std::string>{"a", "b"}));
  disk.fail_writes_after(-1);
  ASSERT_TRUE(comes_to(first, State::succeeded));
  ASSERT_TRUE(delivering(1));
  EXPECT_EQ(deliverer.bodies.back(), "c");
}

TEST_F(QueueOnBadDiskTest, WhatHasBecomeOfADeliveryIsWrittenWhenTheDiskIsBack) {
  const auto event = publish("a");
  ASSERT_TRUE(delivering(1));
  disk.fail_writes_after(0);
  deliverer.end(kSucceeded);
  ASSERT_TRUE(until([&] { return quiet(); }));
  EXPECT_FALSE(queue->idle());
  EXPECT_EQ(state(event), State::running);
  disk.fail_writes_after(-1);
  ASSERT_TRUE(comes_to(event, State::succeeded));
  settle();
  EXPECT_EQ(deliverer.bodies.size(), 1U) << "delivered once";
}

}  // namespace
}  // namespace mayfly::events
