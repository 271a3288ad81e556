// What becomes of deliveries and of idempotency keys, through the whole store.
#include "events/event_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "events/store_test_support.h"

namespace mayfly::events {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

class EventTablesTest : public StoreTest {
 protected:
  EventTablesTest() {
    stream_ = store_.stream("function:hello").id;
    queue_ = store_.queue("function:hello", stream_).id;
  }
  void reopen() {
    store_.close();
    store_ = open();
  }
  EventPtr append(std::string body) { return store_.append(stream_, std::move(body)); }
  NewEvent keyed(std::string body, std::string key = "k") const {
    auto event = event_with(stream_, std::move(body));
    event.idempotency_key = std::move(key);
    return event;
  }

  AskedStore store_ = open();
  StreamId stream_ = 0;
  QueueId queue_ = 0;
};

// Deliveries

TEST_F(EventTablesTest, ADeliveryWithoutARowIsQueued) {
  auto event = event_with(stream_, "x");
  event.not_before = clock_.wall() + hours(1);
  const auto accepted = store_.append(event);
  const auto id = id_of(*accepted, queue_);
  for (const auto& asked : {id, id_of(*accepted, 0)}) {
    const auto found = store_.find(asked);
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->id, id);
    EXPECT_EQ(found->state, State::queued);
    EXPECT_EQ(found->attempts, 0);
    EXPECT_EQ(found->event->body, "x");
    EXPECT_EQ(found->not_before, *event.not_before);
    EXPECT_FALSE(found->finished);
    EXPECT_FALSE(found->answer);
  }
  EXPECT_THAT(store_.list({.queue = queue_}), IsEmpty());
}

TEST_F(EventTablesTest, WhatIsNotThereIsUnknown) {
  const auto event = append("x");
  const auto good = id_of(*event, queue_);
  ASSERT_TRUE(store_.find(good));
  auto wrong_check = good;
  wrong_check.check ^= 1;
  auto wrong_queue = good;
  wrong_queue.queue = 77;
  auto wrong_position = good;
  ++wrong_position.position;
  auto wrong_stream = good;
  wrong_stream.stream = store_.stream("topic:other").id;
  for (const auto& id : {wrong_check, wrong_queue, wrong_position, wrong_stream}) {
    const auto found = store_.find(id);
    ASSERT_FALSE(found) << to_text(id);
    EXPECT_EQ(found.error().code, EventsErrc::unknown_delivery);
  }
  store_.record({outcome(queue_, *event, State::dead)});
  EXPECT_TRUE(store_.find(good));
  EXPECT_FALSE(store_.find(wrong_check)) << "of a delivery with a row";
  // Of two queues none is the only one.
  store_.queue("second", stream_);
  EXPECT_FALSE(store_.find(id_of(*event, 0)));
  // Behind the cursor without a row: it did not concern this queue, or is forgotten.
  const auto passed = append("passed");
  store_.record({}, {{queue_, passed->position}});
  EXPECT_FALSE(store_.find(id_of(*passed, queue_)));
}

TEST_F(EventTablesTest, KeepsAttemptsAndTheLastAnswer) {
  const auto event = append("x");
  auto failed = outcome(queue_, *event, State::failed);
  failed.not_before = clock_.wall() + seconds(7);
  failed.attempt->message = "no";
  failed.answer = Answer{.status = 500, .headers = std::string("a\0b\0", 4), .body = "bad"};
  store_.record({failed});
  auto found = store_.find(id_of(*event, queue_));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->state, State::failed);
  EXPECT_EQ(found->not_before, failed.not_before);
  EXPECT_FALSE(found->finished);
  ASSERT_TRUE(found->answer);
  EXPECT_EQ(found->answer->status, 500U);
  EXPECT_EQ(found->answer->headers, std::string("a\0b\0", 4));
  EXPECT_EQ(found->answer->body, "bad");

  clock_.advance(seconds(8));
  store_.record({outcome(queue_, *event, State::succeeded, 2)}, {{queue_, 1}});
  reopen();
  found = store_.find(id_of(*event, queue_));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->state, State::succeeded);
  EXPECT_EQ(found->attempts, 2);
  EXPECT_EQ(found->finished, clock_.wall());
  EXPECT_FALSE(found->answer) << "of the first attempt, not of the last";
  ASSERT_THAT(found->history, SizeIs(2));
  EXPECT_EQ(found->history[0].number, 1);
  EXPECT_EQ(found->history[0].type, "pool:handler-threw");
  EXPECT_EQ(found->history[0].message, "no");
  EXPECT_EQ(found->history[1].version, "hello@3");
  EXPECT_EQ(found->history[1].started, clock_.wall());
}

TEST_F(EventTablesTest, AnAnswerStaysWhenThereWasNoNewAttempt) {
  const auto event = append("x");
  auto dead = outcome(queue_, *event, State::dead);
  dead.answer = Answer{.status = 503, .body = "b"};
  store_.record({dead});
  auto again = outcome(queue_, *event, State::queued, 0);
  again.attempt.reset();
  store_.record({again});
  const auto found = store_.find(id_of(*event, queue_));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->state, State::queued);
  EXPECT_FALSE(found->finished);
  ASSERT_TRUE(found->answer);
  EXPECT_EQ(found->answer->status, 503U);
  EXPECT_THAT(found->history, SizeIs(1));
}

TEST_F(EventTablesTest, CountsByStateAndKeepsTheCursor) {
  std::vector<EventPtr> events;
  for (int i = 0; i < 4; ++i) events.push_back(append("x"));
  store_.record({outcome(queue_, *events[0], State::succeeded), outcome(queue_, *events[1], State::failed),
                 outcome(queue_, *events[2], State::dead), outcome(queue_, *events[3], State::failed)},
                {{queue_, 4}});
  const auto counts_are = [&](unsigned failed, unsigned succeeded) {
    return ElementsAre(Pair(State::queued, 0), Pair(State::failed, failed), Pair(State::succeeded, succeeded),
                       Pair(State::dead, 1), Pair(State::cancelled, 0));
  };
  EXPECT_THAT(store_.count(queue_), counts_are(2, 1));
  store_.record({outcome(queue_, *events[1], State::succeeded, 2)}, {{queue_, 3}});
  reopen();
  EXPECT_THAT(store_.count(queue_), counts_are(1, 2));
  EXPECT_EQ(store_.queues()[0].cursor, 4U) << "a cursor never goes back";
  EXPECT_THAT(store_.count(77), IsEmpty());
}

TEST_F(EventTablesTest, ARecordIsWrittenAsAWholeOrNotAtAll) {
  const auto event = append("x");
  auto wrong = outcome(queue_, *append("y"), State::running);  // never stored
  wrong.decision = accepting(event_with(stream_, "follow"));
  const auto failed = ask<std::vector<EventPtr>>(
      [&](auto then) { store_->record({outcome(queue_, *event, State::dead), wrong}, {{queue_, 2}}, then); });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, EventsErrc::store_failed);
  EXPECT_EQ(store_.find(id_of(*event, queue_))->state, State::queued);
  EXPECT_EQ(store_.queues()[0].cursor, 0U);
  EXPECT_EQ(store_.count(queue_)[State::dead], 0U);
  EXPECT_THAT(store_.read(stream_), SizeIs(2));
}

TEST_F(EventTablesTest, OutcomesOfWhatIsForgottenAreLeftOut) {
  const auto event = append("x");
  auto of_no_event = outcome(queue_, *event, State::dead);
  of_no_event.position = 50;
  store_.record({outcome(77, *event, State::dead), of_no_event, outcome(queue_, *event, State::dead)},
                {{77, 5}});
  EXPECT_THAT(store_.list({.queue = queue_}), SizeIs(1));
  EXPECT_EQ(store_.count(queue_)[State::dead], 1U);
}

TEST_F(EventTablesTest, AFollowUpIsAcceptedWithTheOutcome) {
  const auto event = append("x");
  auto done = outcome(queue_, *event, State::succeeded);
  done.decision = accepting(event_with(store_.stream("callbacks").id, "result"));
  const auto accepted = store_.record({done, outcome(queue_, *append("y"), State::dead)}, {{queue_, 2}});
  ASSERT_THAT(bodies_of(accepted), ElementsAre("result"));
  EXPECT_EQ(accepted[0]->position, 1U);
  EXPECT_THAT(bodies_of(store_.read(accepted[0]->stream)), ElementsAre("result"));
  EXPECT_EQ(store_->figures().appended, 3U);
}

TEST_F(EventTablesTest, OpenDeliveriesComeInTheOrderInWhichTheyAreDue) {
  std::vector<EventPtr> events;
  for (int i = 0; i < 5; ++i) {
    auto event = event_with(stream_, std::to_string(i));
    event.partition = "p" + std::to_string(i);
    events.push_back(store_.append(event));
  }
  const auto start = clock_.wall();
  std::vector<Outcome> outcomes;
  for (const int due : {4, 2, 3}) {
    outcomes.push_back(
        outcome(queue_, *events[outcomes.size()], due == 3 ? State::queued : State::failed, due));
    outcomes.back().not_before = start + seconds(due);
  }
  outcomes.push_back(outcome(queue_, *events[3], State::succeeded));
  store_.record(outcomes);
  EXPECT_THAT(store_.open_deliveries(queue_, start + milliseconds(1'999)), IsEmpty());
  const auto open = store_.open_deliveries(queue_, start + seconds(3));
  ASSERT_THAT(open, SizeIs(2));
  EXPECT_EQ(open[0].position, events[1]->position);
  EXPECT_EQ(open[0].state, State::failed);
  EXPECT_EQ(open[0].attempts, 2);
  EXPECT_EQ(open[0].not_before, start + seconds(2));
  EXPECT_EQ(open[0].partition, "p1");
  EXPECT_EQ(open[0].event->body, "1");
  EXPECT_EQ(open[1].state, State::queued);
  EXPECT_EQ(open[1].event->body, "2");
  EXPECT_THAT(store_.open_deliveries(queue_, start + hours(1)), SizeIs(3));
  EXPECT_THAT(store_.open_deliveries(queue_, start + hours(1), {.count = 2}), SizeIs(2));
  EXPECT_THAT(store_.open_deliveries(queue_, start + hours(1), {.bytes = 0}), SizeIs(1));
  EXPECT_THAT(store_.with_rows(queue_, 0, 10), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(store_.with_rows(queue_, 1, 3), ElementsAre(2, 3));
}

TEST_F(EventTablesTest, ListsPagesFromTheNewestOn) {
  for (int i = 1; i <= 7; ++i) {
    const auto event = append(std::to_string(i));
    store_.record({outcome(queue_, *event, i % 2 == 0 ? State::dead : State::succeeded)});
  }
  const auto positions = [&](const DeliveryQuery& query) {
    std::vector<Position> all;
    for (const auto& one : store_.list(query)) all.push_back(one.id.position);
    return all;
  };
  EXPECT_THAT(positions({.queue = queue_, .limit = 3}), ElementsAre(7, 6, 5));
  EXPECT_THAT(positions({.queue = queue_, .before = 5, .limit = 3}), ElementsAre(4, 3, 2));
  EXPECT_THAT(positions({.queue = queue_, .before = 2, .limit = 3}), ElementsAre(1));
  EXPECT_THAT(positions({.queue = queue_, .before = 1}), IsEmpty());
  EXPECT_THAT(positions({.queue = queue_, .before = 0}), IsEmpty());
  EXPECT_THAT(positions({.queue = queue_, .state = State::dead}), ElementsAre(6, 4, 2));
  EXPECT_THAT(positions({.queue = queue_, .state = State::dead, .before = 6, .limit = 1}), ElementsAre(4));
  EXPECT_THAT(positions({.queue = queue_, .state = State::failed}), IsEmpty());
}

TEST_F(EventTablesTest, ListsBodiesOnlyIfAskedAndNotTooManyAtOnce) {
  const std::string large(3U << 20U, 'x');
  for (int i = 0; i < 3; ++i) {
    auto done = outcome(queue_, *append(i == 0 ? large : "small"), State::dead);
    done.answer = Answer{.status = 500, .body = i == 1 ? large : "answer"};
    store_.record({done});
  }
  auto listed = store_.list({.queue = queue_});
  ASSERT_THAT(listed, SizeIs(3));
  EXPECT_EQ(listed[0].event->body, "");
  EXPECT_EQ(listed[0].answer->status, 500U);
  EXPECT_EQ(listed[0].answer->body, "");
  EXPECT_THAT(listed[0].history, IsEmpty());
  listed = store_.list({.queue = queue_, .bodies = true});
  ASSERT_THAT(listed, SizeIs(2));
  EXPECT_EQ(listed[0].event->body, "small");
  EXPECT_EQ(listed[0].answer->body, "answer");
  EXPECT_THAT(listed[0].history, SizeIs(1));
  EXPECT_EQ(listed[1].answer->body, large);
  EXPECT_THAT(store_.list({.queue = queue_, .before = listed[1].id.position, .bodies = true}), SizeIs(1));
}

// Idempotency keys

TEST_F(EventTablesTest, TheSameKeyGivesTheSameEvent) {
  auto first = store_.append(keyed("x"));
  reopen();
  const auto again = store_.try_append(keyed("x"));
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->front().known);
  EXPECT_EQ(again->front().event->position, first->position);
  EXPECT_EQ(again->front().event->check, first->check);
  EXPECT_FALSE(store_.try_append(keyed("x", "another"))->front().known);
  EXPECT_FALSE(store_.try_append(event_with(stream_, "x"))->front().known);
  auto elsewhere = keyed("x");
  elsewhere.stream = store_.stream("topic:other").id;
  EXPECT_FALSE(store_.try_append(elsewhere)->front().known);
  EXPECT_THAT(store_.read(stream_), SizeIs(3));
}

TEST_F(EventTablesTest, AnotherPayloadUnderAKeyIsRefusedWithTheWholeAppend) {
  store_.append(keyed("x"));
  const auto refused = store_.try_append({event_with(stream_, "innocent"), keyed("new", "k2"), keyed("y")});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, EventsErrc::idempotency_mismatch);
  EXPECT_THAT(bodies_of(store_.read(stream_)), ElementsAre("x"));
  EXPECT_FALSE(store_.try_append(keyed("other", "k2"))->front().known) << "the refused one's key is free";
}

TEST_F(EventTablesTest, AKeyCountsWithinOneAppendToo) {
  const auto twice = store_.try_append({keyed("x"), keyed("x")});
  ASSERT_TRUE(twice);
  EXPECT_FALSE((*twice)[0].known);
  EXPECT_TRUE((*twice)[1].known);
  EXPECT_EQ((*twice)[1].event->position, (*twice)[0].event->position);
  const auto refused = store_.try_append({keyed("y", "k2"), keyed("z", "k2")});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, EventsErrc::idempotency_mismatch);
  EXPECT_THAT(bodies_of(store_.read(stream_)), ElementsAre("x"));
}

TEST_F(EventTablesTest, WhatIsAcceptedTogetherIsKnownTogetherAlone) {
  const std::vector<NewEvent> batch{keyed("a", "k"), keyed("b", "k\n1")};
  const auto first = store_.try_append(batch);
  ASSERT_TRUE(first);
  const auto again = store_.try_append(batch);
  ASSERT_TRUE(again);
  for (const std::size_t i : {0U, 1U}) EXPECT_EQ((*again)[i].event->position, (*first)[i].event->position);
  auto longer = batch;
  longer.push_back(keyed("c", "k\n2"));
  auto other_partition = batch;
  other_partition[1].partition = "p";
  for (const auto& other : {longer, {batch[0]}, other_partition}) {
    const auto refused = store_.try_append(other);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, EventsErrc::idempotency_mismatch);
  }
  EXPECT_THAT(bodies_of(store_.read(stream_)), ElementsAre("a", "b"));
}

TEST_F(EventTablesTest, AKeyExpires) {
  const auto first = store_.append(keyed("x"));
  clock_.advance(kIdempotencyTime - milliseconds(1));
  EXPECT_EQ(store_.expire(clock_.wall(), milliseconds(0)), 0U) << "the event stays as long as its key";
  EXPECT_TRUE(store_.try_append(keyed("x"))->front().known);
  EXPECT_FALSE(store_.try_append(keyed("y")));
  clock_.advance(milliseconds(1));
  const auto anew = store_.try_append(keyed("y"));  // the old row is still there
  ASSERT_TRUE(anew);
  EXPECT_FALSE(anew->front().known);
  EXPECT_TRUE(store_.try_append(keyed("y"))->front().known);
  clock_.advance(kIdempotencyTime + milliseconds(1));
  store_.record({}, {{queue_, 2}});
  EXPECT_EQ(store_.expire(clock_.wall(), milliseconds(0)), 3U);
  EXPECT_THAT(store_.read(stream_), IsEmpty());
}

}  // namespace
}  // namespace mayfly::events
