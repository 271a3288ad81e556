// What is removed from the event store, and what is not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "events/store_test_support.h"

namespace mayfly::events {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class ExpireTest : public StoreTest {
 protected:
  ExpireTest() {
    stream_ = store_.stream().id;
    queue_ = store_.queue("t>f", stream_).id;
  }
  void reopen() {
    store_.close();
    store_ = open();
  }
  std::vector<EventPtr> append(int count) {
    std::vector<NewEvent> events;
    for (int i = 0; i < count; ++i) events.push_back(event_with(stream_, std::to_string(i)));
    std::vector<EventPtr> accepted;
    auto all = store_.try_append(std::move(events));
    for (const auto& one : *all) accepted.push_back(one.event);
    return accepted;
  }
  void pass(Position until) { store_.record({}, {{queue_, until}}); }
  std::vector<Position> kept() {
    std::vector<Position> positions;
    for (const auto& event : store_.read(stream_)) positions.push_back(event->position);
    return positions;
  }
  std::size_t expire(std::size_t limit = 1'000) { return store_.expire(clock_.wall(), minutes(1), limit); }

  AskedStore store_ = open();
  StreamId stream_ = 0;
  QueueId queue_ = 0;
};

TEST_F(ExpireTest, EventsGoWhenTheyAreOldAndPassed) {
  append(3);
  clock_.advance(minutes(2));
  append(2);
  EXPECT_EQ(expire(), 0U) << "the queue has not come to them";
  pass(4);
  EXPECT_EQ(expire(), 3U);
  EXPECT_THAT(kept(), ElementsAre(4, 5)) << "these are not old";
  clock_.advance(minutes(2));
  EXPECT_EQ(expire(), 1U);
  EXPECT_THAT(kept(), ElementsAre(5));
}

TEST_F(ExpireTest, TheSlowestQueueOfAStreamDecides) {
  const auto slow = store_.queue("t>slow", stream_).id;
  append(4);
  clock_.advance(minutes(2));
  pass(4);
  store_.record({}, {{slow, 2}});
  EXPECT_EQ(expire(), 2U);
  EXPECT_THAT(kept(), ElementsAre(3, 4));
  get<void>([&](auto then) { store_->drop_queue(slow, then); });
  EXPECT_EQ(expire(), 2U);
}

TEST_F(ExpireTest, EventsOfAStreamWithoutQueuesGoWhenTheyAreOld) {
  const auto other = store_.stream("topic:other").id;
  store_.append(other, "x");
  EXPECT_EQ(expire(), 0U);
  clock_.advance(minutes(2));
  EXPECT_EQ(expire(), 1U);
}

TEST_F(ExpireTest, WhatIsTriedAgainOrDeadIsKept) {
  const auto events = append(5);
  const std::array states{State::failed, State::queued, State::dead, State::succeeded, State::cancelled};
  std::vector<Outcome> outcomes;
  for (std::size_t i = 0; i < states.size(); ++i)
    outcomes.push_back(outcome(queue_, *events[i], states.at(i)));
  store_.record(outcomes, {{queue_, 5}});
  clock_.advance(minutes(2));
  EXPECT_EQ(expire(), 2U);
  EXPECT_THAT(kept(), ElementsAre(1, 2, 3));
  // Its delivery is known still, without its event.
  const auto found = store_.find(id_of(*events[3], queue_));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->state, State::succeeded);
  EXPECT_EQ(found->event, nullptr);
  store_.record({outcome(queue_, *events[0], State::succeeded, 2)});
  EXPECT_EQ(expire(), 1U);
  EXPECT_THAT(kept(), ElementsAre(2, 3));
}

TEST_F(ExpireTest, FinalDeliveriesGoInTheirTime) {
  const auto events = append(3);
  store_.record({outcome(queue_, *events[0], State::dead), outcome(queue_, *events[1], State::failed),
                 outcome(queue_, *events[2], State::succeeded)},
                {{queue_, 3}});
  clock_.advance(hours(1) - milliseconds(1));
  EXPECT_EQ(expire(), 1U) << "the event that succeeded";
  clock_.advance(milliseconds(1));
  EXPECT_EQ(expire(), 3U) << "two deliveries, and the event of the dead one";
  EXPECT_THAT(kept(), ElementsAre(2));
  EXPECT_THAT(store_.with_rows(queue_, 0, 9), ElementsAre(2));
  EXPECT_FALSE(store_.find(id_of(*events[0], queue_)));
  reopen();
  EXPECT_EQ(store_.count(queue_)[State::dead], 0U);
  EXPECT_EQ(store_.count(queue_)[State::failed], 1U);
  store_.record({outcome(queue_, *events[1], State::succeeded, 2)});
  EXPECT_THAT(store_.find(id_of(*events[1], queue_))->history, SizeIs(2));
}

TEST_F(ExpireTest, AFinalDeliveryThatTheCursorHasNotPassedIsKept) {
  const auto events = append(2);
  store_.record({outcome(queue_, *events[1], State::succeeded)}, {{queue_, 0}});
  clock_.advance(hours(2));
  EXPECT_EQ(expire(), 0U);
  EXPECT_EQ(store_.purge(queue_, State::succeeded), 0U);
  EXPECT_THAT(store_.with_rows(queue_, 0, 9), ElementsAre(2)) << "else it would be delivered again";
  pass(2);
  EXPECT_EQ(store_.purge(queue_, State::succeeded), 1U);
  EXPECT_THAT(store_.with_rows(queue_, 0, 9), IsEmpty());
}

TEST_F(ExpireTest, RemovesNoMoreThanTheLimitAtOnceAndAllInTheEnd) {
  const auto events = append(10);
  std::vector<Outcome> outcomes;
  for (const auto& event : events) outcomes.push_back(outcome(queue_, *event, State::succeeded));
  store_.record(outcomes, {{queue_, 10}});
  clock_.advance(hours(2));
  std::vector<std::size_t> removed;
  do removed.push_back(expire(8));
  while (removed.back() > 0);
  EXPECT_THAT(removed, ElementsAre(8, 8, 4, 0));
  EXPECT_THAT(kept(), IsEmpty());
}

TEST_F(ExpireTest, EventsThatHaveToStayDoNotHinderOthers) {
  const auto events = append(10);
  std::vector<Outcome> outcomes;
  for (int i = 0; i < 6; ++i)
    outcomes.push_back(outcome(queue_, *events[static_cast<std::size_t>(i)], State::dead));
  for (auto& outcome : outcomes) outcome.expires = clock_.wall() + hours(100);
  store_.record(outcomes, {{queue_, 10}});
  clock_.advance(hours(2));
  std::size_t removed = 0;
  for (int i = 0; i < 5; ++i) removed += expire(2);
  EXPECT_EQ(removed, 4U);
  EXPECT_THAT(kept(), SizeIs(6));
  EXPECT_EQ(store_.purge(queue_, State::dead), 6U);
  for (int i = 0; i < 5; ++i) removed += expire(2);
  EXPECT_EQ(removed, 10U);
}

TEST_F(ExpireTest, PositionsAreNotUsedAgain) {
  append(3);
  pass(3);
  clock_.advance(minutes(2));
  EXPECT_EQ(expire(), 3U);
  reopen();
  EXPECT_EQ(store_.stream().newest, 3U);
  EXPECT_EQ(store_.append(stream_, "x")->position, 4U);
  pass(4);
  clock_.advance(minutes(2));
  EXPECT_EQ(expire(), 1U);
  EXPECT_EQ(store_.append(stream_, "x")->position, 5U);
}

TEST_F(ExpireTest, PurgesManyOfOneState) {
  const auto events = append(2'500);
  std::vector<Outcome> outcomes;
  for (const auto& event : events)
    outcomes.push_back(outcome(queue_, *event, event->position == 7 ? State::failed : State::dead));
  store_.record(outcomes, {{queue_, 2'500}});
  const auto before = store_->figures().commits;
  EXPECT_EQ(store_.purge(queue_, State::dead), 2'499U);
  EXPECT_EQ(store_->figures().commits - before, 3U) << "in pieces";
  EXPECT_THAT(store_.with_rows(queue_, 0, 9'999), ElementsAre(7));
  EXPECT_EQ(store_.count(queue_)[State::dead], 0U);
  EXPECT_EQ(store_.purge(queue_, State::failed), 0U) << "this is not final";
}

TEST_F(ExpireTest, ADroppedQueueIsForgottenWithItsDeliveries) {
  const auto events = append(1'500);
  const auto other = store_.queue("t>other", stream_).id;
  std::vector<Outcome> outcomes;
  for (const auto& event : events) outcomes.push_back(outcome(queue_, *event, State::dead));
  outcomes.push_back(outcome(other, *events[0], State::dead));
  store_.record(outcomes);
  get<void>([&](auto then) { store_->drop_queue(queue_, then); });
  EXPECT_FALSE(store_.find(id_of(*events[0], queue_)));
  EXPECT_THAT(store_.list({.queue = queue_}), IsEmpty());
  EXPECT_THAT(store_.with_rows(queue_, 0, 9'999), IsEmpty());
  EXPECT_TRUE(store_.find(id_of(*events[0], other)));
  ASSERT_THAT(store_.queues(), SizeIs(1));
  reopen();
  const auto again = store_.queue("t>f", stream_);
  EXPECT_GT(again.id, other) << "a number is never used again";
  EXPECT_EQ(again.cursor, 1'500U);
  get<void>([&](auto then) { store_->drop_queue(queue_, then); });  // once more does no harm
}

TEST_F(ExpireTest, TheSuccessorOfAStreamsOnlyQueueIsThereAtOnceAndHasPassedAll) {
  const auto own = store_.stream("function:f").id;
  const auto dropped = store_.queue("function:f", own).id;
  const auto event = store_.append(own, "done");
  store_.record({outcome(dropped, *event, State::succeeded)});
  // Asked for behind it, as by a deploy, while it is still dropped.
  std::promise<Result<QueueInfo>> opened;
  store_->drop_queue(dropped, [](const auto&) {});
  store_->open_queue("function:f", own, [&](auto info) { opened.set_value(std::move(info)); });
  const auto successor = opened.get_future().get().value();
  EXPECT_NE(successor.id, dropped);
  EXPECT_EQ(successor.cursor, event->position);
}

TEST_F(ExpireTest, ADropThatWasInterruptedGoesOn) {
  const auto events = append(1'500);
  std::vector<Outcome> outcomes;
  for (const auto& event : events) outcomes.push_back(outcome(queue_, *event, State::dead));
  store_.record(outcomes);
  store_.close();
  auto database = store::Database::open(file());
  ASSERT_TRUE(database->run("UPDATE queues SET name = NULL"));  // what is written first
  store_ = open();
  EXPECT_THAT(store_.queues(), IsEmpty());
  while (store_->figures().waiting > 0) std::this_thread::yield();
  int left = 0;
  ASSERT_TRUE(database->query(
      "SELECT 1 FROM queues UNION ALL SELECT 1 FROM deliveries UNION ALL SELECT 1 FROM attempts",
      [&](const auto&) { ++left; }));
  EXPECT_EQ(left, 0);
}

}  // namespace
}  // namespace mayfly::events
