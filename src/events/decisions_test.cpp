// Documents and decisions: that they are durable together with what they follow from, or not at all.
#include "events/store_test_support.h"

namespace mayfly::events {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

struct DecisionsTest : testing::Test {
  void reopen() {
    store->close();
    store.emplace(
        AskedStore::open({.file = folder.path() / "events.db", .vfs = {}, .clock = nullptr, .bounds = {}}));
  }
  Result<std::vector<EventPtr>> decide(Decision decision) {
    return ask<std::vector<EventPtr>>([&](auto then) { (*store)->decide(std::move(decision), 0, then); });
  }
  Pairs documents(DocumentQuery query) {
    const auto found = get<std::vector<Document>>([&](auto then) { (*store)->documents(query, then); });
    Pairs pairs;
    for (const auto& one : found) pairs.emplace_back(one.key, one.value);
    return pairs;
  }
  static Outcome succeeded(QueueId queue, const Event& event) {
    Outcome outcome;
    outcome.queue = queue;
    outcome.stream = event.stream;
    outcome.position = event.position;
    outcome.state = State::succeeded;
    outcome.attempts = 1;
    return outcome;
  }
  static Decision put(Pairs pairs) {
    return [pairs](Transaction& transaction) -> Result<void> {
      for (const auto& [key, value] : pairs)
        if (auto done = transaction.put(key, value); !done) return done;
      return {};
    };
  }

  TempFolder folder;
  std::optional<AskedStore> store{
      AskedStore::open({.file = folder.path() / "events.db", .vfs = {}, .clock = nullptr, .bounds = {}})};
};

TEST_F(DecisionsTest, DocumentsAreReadInTheOrderOfTheirKeys) {
  ASSERT_TRUE(
      decide(put({{"a/2", "two"}, {"a/1", "one"}, {"a/3", std::string("\0\xff", 2)}, {"b/1", "other"}})));
  reopen();
  EXPECT_EQ(documents({.prefix = "a/"}),
            (Pairs{{"a/1", "one"}, {"a/2", "two"}, {"a/3", std::string("\0\xff", 2)}}));
  EXPECT_EQ(documents({.prefix = "a/", .newest_first = true, .limit = 2}).front().first, "a/3");
  EXPECT_EQ(documents({.prefix = "a/", .before = "a/3", .newest_first = true, .limit = 1}),
            (Pairs{{"a/2", "two"}}));
  EXPECT_EQ(documents({.prefix = "c"}), Pairs{});
}

TEST_F(DecisionsTest, ADecisionReadsWhatItAndOthersWrote) {
  ASSERT_TRUE(decide(put({{"n", "1"}, {"gone", ""}})));
  std::optional<std::string> before, after, gone;
  ASSERT_TRUE(decide([&](Transaction& transaction) -> Result<void> {
    before = transaction.get("n").value();
    EXPECT_TRUE(transaction.put("n", "2"));
    EXPECT_TRUE(transaction.remove("gone"));
    after = transaction.get("n").value();
    gone = transaction.get("gone").value();
    return {};
  }));
  EXPECT_EQ(before, "1");
  EXPECT_EQ(after, "2");
  EXPECT_EQ(gone, std::nullopt);
}

TEST_F(DecisionsTest, ALookReadsWhatWasWrittenAndWritesNothing) {
  ASSERT_TRUE(decide(put({{"n", "1"}, {"n/1", "one"}})));
  const auto look = [&](const Look& what) {
    return ask<void>([&](auto then) { (*store)->look(what, then); });
  };
  const auto commits = (*store)->figures().commits;
  std::optional<std::string> value;
  std::size_t listed = 0;
  ASSERT_TRUE(look([&](Reader& reader) -> Result<void> {
    value = reader.get("n").value();
    listed = reader.list({.prefix = "n/"})->size();
    return {};
  }));
  EXPECT_EQ(value, "1");
  EXPECT_EQ(listed, 1U);
  EXPECT_EQ(look([](Reader&) -> Result<void> { return fail(EventsErrc::unknown_run, "none"); }).error().code,
            EventsErrc::unknown_run);
  EXPECT_EQ((*store)->figures().commits, commits);
}

TEST_F(DecisionsTest, WhatItHasAcceptedIsGivenWithPositionAndCheck) {
  const auto stream = store->stream("pipeline:p").id;
  const auto accepted = decide([&](Transaction& transaction) -> Result<void> {
    const auto its = transaction.stream("pipeline:p");
    EXPECT_EQ(its.value(), stream);
    const auto event = transaction.append(event_with(*its, "next"));
    return transaction.put("id", to_text({stream, event->event->position, 0, event->event->check}));
  });
  ASSERT_TRUE(accepted);
  ASSERT_EQ(accepted->size(), 1U);
  EXPECT_EQ(accepted->front()->body, "next");
  EXPECT_EQ(documents({.prefix = "id"}).front().second,
            to_text({stream, accepted->front()->position, 0, accepted->front()->check}));
  reopen();
  ASSERT_EQ(store->read(stream).size(), 1U);
}

TEST_F(DecisionsTest, AnEventThatWasAcceptedBeforeIsSaidToBeKnown) {
  const auto stream = store->stream("pipeline:p").id;
  auto event = event_with(stream, "once");
  event.idempotency_key = "k";
  std::vector<Accepted> told;
  const auto append = [&](Transaction& transaction) -> Result<void> {
    told.push_back(transaction.append(event).value());
    return {};
  };
  EXPECT_EQ(decide(append).value().size(), 1U);
  EXPECT_EQ(decide(append).value().size(), 0U);
  ASSERT_EQ(told.size(), 2U);
  EXPECT_FALSE(told[0].known);
  EXPECT_TRUE(told[1].known);
  EXPECT_EQ(told[1].event->position, told[0].event->position);
}

TEST_F(DecisionsTest, AStreamThatIsNotThereIsMade) {
  StreamId made = 0;
  ASSERT_TRUE(decide([&](Transaction& transaction) -> Result<void> {
    made = transaction.stream("pipeline:new").value();
    return {};
  }));
  EXPECT_EQ(store->stream("pipeline:new").id, made);
}

TEST_F(DecisionsTest, WhatFollowsFromAnOutcomeComesWithItOrNotAtAll) {
  const auto stream = store->stream("pipeline:p").id;
  const auto queue = store->queue("pipeline:p", stream).id;
  const auto event = store->append(stream, "first");
  auto outcome = succeeded(queue, *event);
  outcome.decision = [stream](Transaction& transaction) -> Result<void> {
    if (auto done = transaction.put("run", "goes on"); !done) return done;
    if (auto done = transaction.append(event_with(stream, "second")); !done) return propagate(done);
    return fail(EventsErrc::store_failed, "the disk says no");
  };
  const auto record = [&](Outcome one) {
    return ask<std::vector<EventPtr>>(
        [&](auto then) { (*store)->record({std::move(one)}, {{queue, event->position}}, then); });
  };
  EXPECT_FALSE(record(outcome));
  EXPECT_EQ(documents({.prefix = "run"}), Pairs{});
  EXPECT_EQ(store->read(stream).size(), 1U);

  outcome.decision = [stream](Transaction& transaction) -> Result<void> {
    if (auto done = transaction.put("run", "goes on"); !done) return done;
    if (auto done = transaction.append(event_with(stream, "second")); !done) return propagate(done);
    return {};
  };
  const auto accepted = record(outcome);
  ASSERT_TRUE(accepted);
  ASSERT_EQ(accepted->size(), 1U);
  EXPECT_EQ(accepted->front()->body, "second");
  reopen();
  EXPECT_EQ(documents({.prefix = "run"}), (Pairs{{"run", "goes on"}}));
  EXPECT_EQ(store->read(stream).size(), 2U);
}

TEST_F(DecisionsTest, ARefusalOfWhatFollowsLeavesTheOutcome) {
  const auto stream = store->stream("pipeline:p").id;
  const auto queue = store->queue("pipeline:p", stream).id;
  const auto event = store->append(stream, "first");
  auto outcome = succeeded(queue, *event);
  outcome.decision = [](Transaction&) -> Result<void> {
    return fail(EventsErrc::unknown_delivery, "no such run");
  };
  ASSERT_TRUE(ask<std::vector<EventPtr>>([&](auto then) { (*store)->record({outcome}, {}, then); }));
  const auto record = get<DeliveryRecord>(
      [&](auto then) { (*store)->find({stream, event->position, queue, event->check}, then); });
  EXPECT_EQ(record.state, State::succeeded);
}

TEST_F(DecisionsTest, ARefusalByItselfIsTold) {
  const auto refused =
      decide([](Transaction&) -> Result<void> { return fail(EventsErrc::unknown_delivery, "no such run"); });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, EventsErrc::unknown_delivery);
}

TEST_F(DecisionsTest, DocumentsExpireTogether) {
  const auto now = std::chrono::system_clock::now();
  ASSERT_TRUE(
      decide(put({{"run/1", "a"}, {"run/1/x", "b"}, {"run/2", "c"}, {"run/2/x", "d"}, {"run/3", "e"}})));
  ASSERT_TRUE(decide([&](Transaction& transaction) -> Result<void> {
    for (const auto* key : {"run/1", "run/2", "run/3"})
      if (auto done = transaction.expire(key, now - std::chrono::hours(1)); !done) return done;
    if (auto done = transaction.expire("run/2", WallTime::max()); !done) return done;
    return transaction.put("run/3", "written again");
  }));
  const auto removed =
      get<std::size_t>([&](auto then) { (*store)->expire(now, std::chrono::hours(24), 100, then); });
  EXPECT_EQ(removed, 2U);
  EXPECT_EQ(documents({.prefix = "run"}),
            (Pairs{{"run/2", "c"}, {"run/2/x", "d"}, {"run/3", "written again"}}));
}

}  // namespace
}  // namespace mayfly::events
