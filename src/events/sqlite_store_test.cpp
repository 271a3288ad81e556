#include "events/sqlite_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <set>
#include <thread>

#include "events/store_test_support.h"
#include "store/database.h"

namespace mayfly::events {
namespace {

using namespace std::string_literals;
using std::chrono::hours;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

class SqliteStoreTest : public StoreTest {};

TEST_F(SqliteStoreTest, FindsAStreamOrMakesIt) {
  auto store = open();
  const auto first = store.stream("topic:a");
  const auto second = store.stream("function:a");
  EXPECT_EQ(first.name, "topic:a");
  EXPECT_EQ(first.newest, 0U);
  EXPECT_NE(first.id, second.id);
  store.append(first.id, "x");
  const auto again = store.stream("topic:a");
  EXPECT_EQ(again.id, first.id);
  EXPECT_EQ(again.newest, 1U);
  const auto all = store.streams();
  ASSERT_THAT(all, SizeIs(2));
  EXPECT_EQ(all[0].newest, 1U);
  EXPECT_EQ(all[1].name, "function:a");
}

TEST_F(SqliteStoreTest, AQueueBeginsBehindTheNewestEvent) {
  auto store = open();
  const auto stream = store.stream();
  store.append(stream.id, "before");
  const auto queue = store.queue("t>f", stream.id);
  EXPECT_EQ(queue.cursor, 1U);
  EXPECT_EQ(queue.stream, stream.id);
  EXPECT_FALSE(queue.paused);
  store.append(stream.id, "behind");
  EXPECT_EQ(store.queue("t>f", stream.id).id, queue.id);
  EXPECT_EQ(store.queue("t>f", stream.id).cursor, 1U);
  EXPECT_EQ(store.queue("t>g", stream.id).cursor, 2U);
  EXPECT_THAT(bodies_of(store.read(stream.id, queue.cursor)), ElementsAre("behind"));
}

TEST_F(SqliteStoreTest, AQueueOfNoStreamIsAnError) {
  auto store = open();
  const auto failed = ask<QueueInfo>([&](auto then) { store->open_queue("t>f", 7, then); });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, EventsErrc::store_failed);
  EXPECT_THAT(store.queues(), IsEmpty());
}

TEST_F(SqliteStoreTest, PausesAQueue) {
  auto store = open();
  const auto queue = store.queue("t>f", store.stream().id);
  get<void>([&](auto then) { store->pause_queue(queue.id, true, then); });
  store.close();
  store = open();
  ASSERT_THAT(store.queues(), SizeIs(1));
  EXPECT_TRUE(store.queues()[0].paused);
  get<void>([&](auto then) { store->pause_queue(queue.id, false, then); });
  EXPECT_FALSE(store.queues()[0].paused);
  const auto failed = ask<void>([&](auto then) { store->pause_queue(99, true, then); });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, EventsErrc::unknown_queue);
}

NewEvent full_event(StreamId stream) {
  return {.stream = stream,
          .form = Form::request,
          .method = "POST",
          .target = "/path?q=1",
          .fields = "content-type\0text/plain\0x\0\xff\0"s,
          .body = "bytes\0\xfe"s,
          .partition = "customer-7",
          .not_before = WallTime{} + hours(24 * 365 * 56),
          .idempotency_key = "key",
          .callback = "https://example.org/"};
}

void expect_same(const Event& got, const Event& expected) {
  EXPECT_EQ(got.stream, expected.stream);
  EXPECT_EQ(got.position, expected.position);
  EXPECT_EQ(got.check, expected.check);
  EXPECT_EQ(got.accepted, expected.accepted);
  EXPECT_EQ(got.form, expected.form);
  EXPECT_EQ(got.method, expected.method);
  EXPECT_EQ(got.target, expected.target);
  EXPECT_EQ(got.fields, expected.fields);
  EXPECT_EQ(got.body, expected.body);
  EXPECT_EQ(got.partition, expected.partition);
  EXPECT_EQ(got.not_before, expected.not_before);
  EXPECT_EQ(got.idempotency_key, expected.idempotency_key);
  EXPECT_EQ(got.callback, expected.callback);
}

TEST_F(SqliteStoreTest, KeepsAllOfAnEvent) {
  auto store = open();
  const auto stream = store.stream();
  clock_.advance(std::chrono::nanoseconds(1'234'567));
  const auto accepted = store.append(full_event(stream.id));
  EXPECT_EQ(accepted->position, 1U);
  EXPECT_EQ(accepted->accepted, WallTime{} + kStart + milliseconds(1));
  EXPECT_EQ(accepted->body, full_event(1).body);
  store.close();
  store = open();
  const auto kept = store.read(stream.id);
  ASSERT_THAT(kept, SizeIs(1));
  expect_same(*kept[0], *accepted);
}

TEST_F(SqliteStoreTest, PositionsCountUpInEachStreamAndChecksAreRandom) {
  auto store = open();
  const auto a = store.stream("topic:a").id;
  const auto b = store.stream("topic:b").id;
  auto accepted = store.try_append({event_with(a, "1"), event_with(b, "2"), event_with(a, "3")});
  ASSERT_TRUE(accepted);
  ASSERT_THAT(*accepted, SizeIs(3));
  EXPECT_EQ((*accepted)[0].event->position, 1U);
  EXPECT_EQ((*accepted)[1].event->position, 1U);
  EXPECT_EQ((*accepted)[2].event->position, 2U);
  EXPECT_FALSE((*accepted)[2].known);
  std::set<std::uint64_t> checks;
  for (int i = 0; i < 100; ++i) checks.insert(store.append(a, "x")->check);
  EXPECT_THAT(checks, SizeIs(100));
  EXPECT_LT(*checks.rbegin(), std::uint64_t{1} << 52U);
  EXPECT_GT(*checks.rbegin(), std::uint64_t{1} << 44U);
  EXPECT_THAT(bodies_of(store.read(b)), ElementsAre("2"));
}

TEST_F(SqliteStoreTest, AnAppendIsAcceptedAsAWholeOrNotAtAll) {
  auto store = open();
  const auto stream = store.stream().id;
  auto failed = store.try_append({event_with(stream, "good"), event_with(99, "of no stream")});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, EventsErrc::store_failed);
  EXPECT_THAT(store.read(stream), IsEmpty());
  EXPECT_EQ(store.append(stream, "next")->position, 1U);
}

TEST_F(SqliteStoreTest, ReadsNoMoreThanItIsAskedFor) {
  auto store = open();
  const auto stream = store.stream().id;
  store.stream("topic:other");
  for (int i = 1; i <= 40; ++i) store.append(stream, std::string(100, 'x') + std::to_string(i));
  EXPECT_THAT(store.read(stream, 0, {.count = 3}), SizeIs(3));
  EXPECT_THAT(store.read(stream, 38, {.count = 3}), SizeIs(2));
  EXPECT_THAT(store.read(stream, 40), IsEmpty());
  EXPECT_THAT(store.read(stream, UINT64_MAX), IsEmpty());
  EXPECT_THAT(store.read(stream), SizeIs(40));
  EXPECT_THAT(store.read(stream, 0, {.bytes = 1}), SizeIs(1));
  EXPECT_THAT(store.read(stream, 9, {.bytes = 2'040}), SizeIs(20));
  EXPECT_EQ(store.read(stream, 9, {.count = 1})[0]->position, 10U);
}

TEST_F(SqliteStoreTest, FetchesSomeEvents) {
  auto store = open();
  const auto stream = store.stream().id;
  for (const char* body : {"1", "2", "3"}) store.append(stream, body);
  const auto some = get<std::vector<EventPtr>>([&](auto then) { store->fetch(stream, {3, 7, 1}, then); });
  EXPECT_THAT(bodies_of(some), ElementsAre("3", "1"));
}

TEST_F(SqliteStoreTest, AMarkIsAcceptedOnce) {
  auto store = open();
  const auto stream = store.stream().id;
  const auto with_mark = [&](std::int64_t value) {
    auto event = event_with(stream, "at " + std::to_string(value));
    event.mark = Mark{"daily", value};
    return event;
  };
  auto first = store.try_append(with_mark(10));
  ASSERT_TRUE(first);
  EXPECT_FALSE(first->front().known);
  store.close();
  store = open();
  auto all = store.try_append({with_mark(10), with_mark(9), with_mark(11), with_mark(11)});
  ASSERT_TRUE(all);
  for (const std::size_t known : {0, 1, 3}) {
    EXPECT_TRUE((*all)[known].known);
    EXPECT_EQ((*all)[known].event, nullptr);
  }
  EXPECT_FALSE((*all)[2].known);
  EXPECT_THAT(bodies_of(store.read(stream)), ElementsAre("at 10", "at 11"));
  EXPECT_THAT(store.marks(), ElementsAre(Pair("daily", 11)));
  EXPECT_EQ(store->figures().appended, 1U);
}

TEST_F(SqliteStoreTest, FiguresCountWhatWasDone) {
  auto store = open();
  const auto stream = store.stream().id;
  const auto before = store->figures();
  EXPECT_GT(before.bytes, 0U);
  store.append(stream, "one");
  ASSERT_TRUE(store.try_append({event_with(stream, "two"), event_with(stream, "three")}));
  store.read(stream);
  const auto after = store->figures();
  EXPECT_EQ(after.appended, 3U);
  EXPECT_EQ(after.commits, before.commits + 2);
  EXPECT_EQ(after.waiting, 0U);
}

/// Holds a store's thread, as a slow disk would, until it is released.
class Held {
 public:
  explicit Held(AskedStore& store) {
    store->streams([this](auto) {
      held_.set_value();
      release_.get_future().wait();
    });
    held_.get_future().wait();
  }
  void release() { release_.set_value(); }

 private:
  std::promise<void> held_;
  std::promise<void> release_;
};

TEST_F(SqliteStoreTest, WhatComesFromSeveralThreadsIsWrittenTogetherAndToldInOrder) {
  auto store = open();
  const auto stream = store.stream().id;
  const auto before = store->figures().commits;
  Held held(store);
  std::vector<Position> told;  // the store's thread's
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 50; ++j)
        store->append({event_with(stream, "x")}, [&](Result<std::vector<Accepted>> accepted) {
          told.push_back(accepted ? accepted->front().event->position : 0);
        });
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(store->figures().waiting, 200U);
  // A read sees what was called before it, though it is not committed yet.
  std::promise<std::size_t> seen;
  store->read(stream, 199, {}, [&](auto events) { seen.set_value(events->size()); });
  held.release();
  EXPECT_EQ(seen.get_future().get(), 1U);
  ASSERT_THAT(told, SizeIs(200));
  EXPECT_TRUE(std::ranges::is_sorted(told)) << "in the order of the calls";
  EXPECT_EQ(told.front(), 1U);
  EXPECT_EQ(store->figures().commits, before + 1);
}

TEST_F(SqliteStoreTest, TooMuchThatWaitsIsRefusedAndLaterAccepted) {
  auto bounded = options();
  bounded.bounds.bytes = 1'000'000;
  auto store = AskedStore::open(bounded);
  const auto stream = store.stream().id;
  Held held(store);
  std::vector<std::error_code> told;
  for (int i = 0; i < 3; ++i)
    store->append({event_with(stream, std::string(600'000, 'x'))},
                  [&](Result<std::vector<Accepted>> accepted) {
                    told.push_back(accepted ? std::error_code() : accepted.error().code);
                  });
  held.release();
  EXPECT_THAT(store.read(stream), SizeIs(2));
  EXPECT_THAT(told, ElementsAre(std::error_code(), std::error_code(), EventsErrc::store_full));
  EXPECT_EQ(store.append(stream, "small")->position, 3U);
}

TEST_F(SqliteStoreTest, ReadsThatWaitRefuseNoAppends) {
  auto store = open();
  const auto stream = store.stream().id;
  Held held(store);
  std::atomic<int> failed = 0;
  for (int i = 0; i < 100; ++i)  // as many queues that read their backlog
    store->read(stream, 0, {}, [&](const auto& events) { failed += events ? 0 : 1; });
  std::promise<bool> accepted;
  store->append({event_with(stream, "x")},
                [&](const auto& result) { accepted.set_value(result.has_value()); });
  held.release();
  EXPECT_TRUE(accepted.get_future().get());
  EXPECT_EQ(failed, 0);
}

TEST_F(SqliteStoreTest, RefusesAFileOfANewerMayfly) {
  open().close();
  ASSERT_TRUE(store::Database::open(file())->script("PRAGMA user_version = 1000"));
  const auto refused = SqliteStore::open(options());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, store::StoreErrc::newer_schema);
}

}  // namespace
}  // namespace mayfly::events
