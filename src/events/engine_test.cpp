#include "events/engine.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <mutex>

#include "events/queue_test_support.h"

namespace mayfly::events {
namespace {

using namespace std::chrono_literals;

/// Says at once, on the engine's thread, how a delivery went; or keeps it.
class ScriptedDeliverer final : public Deliverer {
 public:
  struct Nothing final : Attempting {
    void cancel() override {}
  };
  std::shared_ptr<Attempting> deliver(Task task, std::function<void(std::vector<Verdict>)> then) override {
    const std::lock_guard lock(mutex);
    for (const auto& item : task.items) bodies.push_back(item.event->body);
    changed.notify_all();
    if (!keeps)
      boost::asio::post(executor, [then = std::move(then), kind = kind, count = task.items.size()] {
        then(std::vector<Verdict>(count, Verdict{kind, {}, "f@1", {}, {}, {}}));
      });
    return std::make_shared<Nothing>();
  }
  [[nodiscard]] bool delivered(std::size_t count) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, 20s, [&] { return bodies.size() >= count; });
  }
  void plays(Verdict::Kind how) {
    const std::lock_guard lock(mutex);
    kind = how;
  }
  boost::asio::any_io_executor executor;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> bodies;
  Verdict::Kind kind = Verdict::Kind::succeeded;
  bool keeps = false;
};

struct EngineTest : testing::Test {
  EngineTest() { open(); }
  ~EngineTest() override { engine.reset(); }

  /// As after a start of the daemon.
  void open() {
    engine.reset();
    store.reset();
    store = SqliteStore::open({.file = folder.path() / "events.db", .vfs = {}, .clock = &clock, .bounds = {}})
                .value();
    engine = std::make_unique<Engine>(*store, deliverer, clock, max_backlog);
    deliverer.executor = engine->executor();
    engine->start();
  }
  template <class T, class F>
  Result<T> ask(F call) {
    auto answer = std::make_shared<std::promise<Result<T>>>();
    call([answer](Result<T> result) { answer->set_value(std::move(result)); });
    return answer->get_future().get();
  }
  Result<std::vector<Accepted>> accept(const std::string& to, const std::string& body) {
    NewEvent event;
    event.body = body;
    return ask<std::vector<Accepted>>([&](auto then) { engine->accept(to, {event}, then); });
  }
  [[nodiscard]] ScheduleSpec daily() const {
    ScheduleSpec spec;
    spec.text = "@daily";
    spec.timezone = "UTC";
    spec.since = clock.wall();
    spec.next = [](WallTime after) { return std::optional(after + 24h); };
    return spec;
  }
  /// Of the only queue of a stream.
  static DeliveryId id_of(const Result<std::vector<Accepted>>& accepted) {
    const auto& event = *accepted.value().at(0).event;
    return {event.stream, event.position, 0, event.check};
  }
  Result<DeliveryRecord> find(const DeliveryId& id) {
    return ask<DeliveryRecord>([&](auto then) { engine->find(id, then); });
  }
  [[nodiscard]] bool comes_to(const DeliveryId& id, State wanted) {
    const auto patience = std::chrono::steady_clock::now() + 20s;
    while (std::chrono::steady_clock::now() < patience) {
      const auto record = find(id);
      if (record && record->state == wanted) return true;
    }
    return false;
  }
  std::vector<QueueView> queues() {
    return ask<std::vector<QueueView>>([&](auto then) { engine->queues(then); }).value();
  }
  /// Until its queues are there.
  void deploy(const std::string& name, const FunctionEvents& events, std::size_t wanted) {
    engine->set_function(name, events);
    while (queues().size() < wanted) {
    }
  }
  static FunctionEvents subscriber(const std::string& topic) {
    FunctionEvents events;
    events.subscriptions.push_back({topic, {}, {}});
    return events;
  }

  TempFolder folder;
  StandingClock clock;
  ScriptedDeliverer deliverer;
  std::uint64_t max_backlog = Engine::kMaxBacklog;
  std::unique_ptr<SqliteStore> store;
  std::unique_ptr<Engine> engine;
};

TEST_F(EngineTest, WhatIsAcceptedForAFunctionIsDeliveredAndFound) {
  deploy("f", {}, 1);
  const auto id = id_of(accept("function:f", "a"));
  ASSERT_TRUE(comes_to(id, State::succeeded));
  EXPECT_EQ(deliverer.bodies, std::vector<std::string>{"a"});
  auto other = id;
  ++other.check;
  EXPECT_EQ(find(other).error().code, EventsErrc::unknown_delivery);
  EXPECT_EQ(ask<State>([&](auto then) { engine->cancel(other, then); }).error().code,
            EventsErrc::unknown_delivery);
  EXPECT_EQ(ask<State>([&](auto then) { engine->cancel(id, then); }).error().code,
            EventsErrc::delivery_ended);
}

TEST_F(EngineTest, WhatWasAcceptedBeforeItsFunctionHadAQueueIsDelivered) {
  const auto id = id_of(accept("function:f", "early"));
  deploy("f", {}, 1);
  EXPECT_TRUE(comes_to(id, State::succeeded));
}

TEST_F(EngineTest, ATopicThatNobodyKnowsIsRefused) {
  auto accepted = accept("topic:t", "a");
  while (!accepted && accepted.error().code == EventsErrc::store_failed)  // not read yet which there are
    accepted = accept("topic:t", "a");
  EXPECT_EQ(accepted.error().code, EventsErrc::unknown_topic);
}

TEST_F(EngineTest, ATopicThatAFunctionHasJustSubscribedToIsThereAndItsSubscriberMissesNothing) {
  engine->set_function("f", subscriber("t"));
  ASSERT_TRUE(accept("topic:t", "a"));
  EXPECT_TRUE(deliverer.delivered(1));
}

TEST_F(EngineTest, EachSubscriberGetsAnEvent) {
  deploy("f", subscriber("t"), 2);
  deploy("g", subscriber("t"), 4);
  ASSERT_TRUE(accept("topic:t", "a"));
  EXPECT_TRUE(deliverer.delivered(2));
}

TEST_F(EngineTest, ATopicIsMadeByHandAndOpenedToEverybody) {
  ASSERT_TRUE(ask<void>([&](auto then) { engine->make_topic("t", true, then); }));
  EXPECT_TRUE(engine->is_open_topic("t"));
  EXPECT_FALSE(engine->is_open_topic("other"));
  open();
  while (!accept("topic:t", "a")) {  // until it is read which topics there are
  }
  EXPECT_TRUE(engine->is_open_topic("t"));
  ASSERT_EQ(engine->topics().size(), 1U);
}

TEST_F(EngineTest, AnEventIsFoundInAllItsQueues) {
  deploy("f", subscriber("t"), 2);
  deploy("g", subscriber("t"), 4);
  FunctionEvents picky;
  picky.subscriptions.push_back({"t", {}, [](const Event& event) { return event.body == "other"; }});
  deploy("h", picky, 6);
  const auto id = id_of(accept("topic:t", "a"));
  ASSERT_TRUE(deliverer.delivered(2));
  const auto all = [&] { return ask<EventDeliveries>([&](auto then) { engine->deliveries(id, then); }); };
  while (all().value().state() != State::succeeded) {
  }
  const auto found = all().value();
  EXPECT_EQ(found.topic, "t");
  EXPECT_EQ(found.event->body, "a");
  ASSERT_EQ(found.deliveries.size(), 2U) << "it is not for h";
  EXPECT_NE(to_text(found.deliveries[0].id), to_text(found.deliveries[1].id));
  EXPECT_EQ(find(found.deliveries[1].id).value().state, State::succeeded);
  EXPECT_TRUE(find(id).error().message.contains("3 subscriptions")) << find(id).error().message;
  auto other = id;
  ++other.check;
  EXPECT_EQ(ask<EventDeliveries>([&](auto then) { engine->deliveries(other, then); }).error().code,
            EventsErrc::unknown_delivery);
}

TEST_F(EngineTest, WhatIsWorstIsSaidOfAll) {
  const auto of = [](std::vector<State> states) {
    EventDeliveries all;
    for (const auto state : states) all.deliveries.emplace_back().state = state;
    return all.state();
  };
  EXPECT_EQ(of({State::succeeded, State::succeeded}), State::succeeded);
  EXPECT_EQ(of({State::succeeded, State::dead, State::cancelled}), State::dead);
  EXPECT_EQ(of({State::dead, State::queued}), State::queued);
  EXPECT_EQ(of({State::failed, State::queued, State::running}), State::running);
}

TEST_F(EngineTest, AQueueWithoutAFunctionFillsNobodysTopic) {
  max_backlog = 10;
  open();
  deploy("f", subscriber("t"), 2);
  deploy("g", subscriber("t"), 4);
  engine->set_function("g", std::nullopt);
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(accept("topic:t", "x"));
    ASSERT_TRUE(deliverer.delivered(static_cast<std::size_t>(i) + 1));
    (void)queues();  // the engine has heard of it
  }
}

TEST_F(EngineTest, QueuesWhoseFunctionWasGoneBeforeTheStartAreThereAndCanBeDropped) {
  deploy("f", subscriber("t"), 2);
  deploy("g", subscriber("t"), 4);
  ASSERT_TRUE(accept("topic:t", "a"));
  ASSERT_TRUE(deliverer.delivered(2));
  open();
  engine->set_function("f", subscriber("t"));
  engine->adopt_rest();
  while (queues().size() < 4) {
  }
  for (const auto& queue : queues()) EXPECT_EQ(queue.attached, queue.function == "f") << queue.info.name;
  const auto drop = [&](const std::string& name) {
    return ask<void>([&](auto then) { engine->drop(name, then); });
  };
  EXPECT_EQ(drop("t>f").error().code, EventsErrc::queue_attached);
  EXPECT_EQ(drop("t>x").error().code, EventsErrc::unknown_queue);
  EXPECT_TRUE(drop("t>g"));
  EXPECT_EQ(queues().size(), 3U);
  EXPECT_EQ(drop("t>g").error().code, EventsErrc::unknown_queue);
}

TEST_F(EngineTest, WhatWasDroppedDoesNotComeBackWithTheFunction) {
  deploy("f", {}, 1);
  ASSERT_TRUE(ask<void>([&](auto then) { engine->pause("function:f", true, then); }));
  ASSERT_TRUE(accept("function:f", "forgotten"));
  engine->set_function("f", std::nullopt);
  ASSERT_TRUE(ask<void>([&](auto then) { engine->drop("function:f", then); }));
  deploy("f", {}, 1);
  ASSERT_TRUE(comes_to(id_of(accept("function:f", "new")), State::succeeded));
  EXPECT_EQ(deliverer.bodies, std::vector<std::string>{"new"});
}

TEST_F(EngineTest, NoMoreIsAcceptedThanItsThreadComesTo) {
  deploy("f", {}, 1);
  std::promise<void> go_on;
  boost::asio::post(engine->executor(), [gone = go_on.get_future().share()] { gone.wait(); });
  const std::string large(8U << 20U, 'x');
  std::optional<Error> refused;
  for (int i = 0; i < 20 && !refused; ++i)
    if (const auto accepted = accept("function:f", large); !accepted) refused = accepted.error();
  go_on.set_value();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code, EventsErrc::store_full);
  while (!accept("function:f", "more")) {
  }
}

TEST_F(EngineTest, AListGoesOnBehindWhatIsInAnotherStateByNow) {
  deploy("f", {}, 1);
  deliverer.keeps = true;
  NewEvent later;
  later.not_before = clock.wall() + 1h;
  std::vector<DeliveryId> ids;
  for (int i = 0; i < 2; ++i)
    ids.push_back(
        id_of(ask<std::vector<Accepted>>([&](auto then) { engine->accept("function:f", {later}, then); })));
  while (queues().at(0).kept[State::queued] < 2) {
  }
  ASSERT_TRUE(ask<State>([&](auto then) { engine->retry(ids[1], then); }));
  ASSERT_TRUE(deliverer.delivered(1));
  DeliveryQuery query;
  query.state = State::queued;
  query.limit = 1;
  const auto list =
      ask<std::vector<DeliveryRecord>>([&](auto then) { engine->list("function:f", query, then); });
  ASSERT_EQ(list.value().size(), 1U) << "the newest is stored as queued, but runs";
  EXPECT_EQ(list->at(0).id.position, ids[0].position);
}

TEST_F(EngineTest, AFullStreamRefusesUntilThereIsRoom) {
  max_backlog = 3;
  open();
  deploy("f", {}, 1);
  ASSERT_TRUE(ask<void>([&](auto then) { engine->pause("function:f", true, then); }));
  std::optional<Error> refused;
  for (int i = 0; i < 20 && !refused; ++i) {
    const auto accepted = accept("function:f", "x");
    (void)queues();  // the engine has heard of it
    if (!accepted) refused = accepted.error();
  }
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code, EventsErrc::backlog_full);
  EXPECT_EQ(refused->detail("limit"), "3");
  EXPECT_FALSE(refused->detail("retry-after").empty());
  ASSERT_TRUE(ask<void>([&](auto then) { engine->pause("function:f", false, then); }));
  ASSERT_TRUE(deliverer.delivered(3));
  Result<std::vector<Accepted>> accepted = std::unexpected(*refused);
  while (!accepted) accepted = accept("function:f", "more");
  EXPECT_TRUE(comes_to(id_of(accepted), State::succeeded));
}

TEST_F(EngineTest, AQueueWaitsForItsFunctionToComeBack) {
  deploy("f", subscriber("t"), 2);
  engine->set_function("f", std::nullopt);
  ASSERT_TRUE(accept("topic:t", "a"));
  for (const auto& queue : queues()) EXPECT_FALSE(queue.attached);
  EXPECT_TRUE(deliverer.bodies.empty());
  deploy("f", subscriber("t"), 2);
  EXPECT_TRUE(deliverer.delivered(1));
}

TEST_F(EngineTest, ASubscriptionThatWasTakenBackGetsNothing) {
  deploy("f", subscriber("t"), 2);
  deploy("f", {}, 2);
  ASSERT_TRUE(accept("topic:t", "a"));
  ASSERT_TRUE(comes_to(id_of(accept("function:f", "b")), State::succeeded));
  EXPECT_EQ(deliverer.bodies, std::vector<std::string>{"b"});
}

TEST_F(EngineTest, APauseLastsOverAStart) {
  deploy("f", {}, 1);
  ASSERT_TRUE(ask<void>([&](auto then) { engine->pause("function:f", true, then); }));
  open();
  deploy("f", {}, 1);
  EXPECT_TRUE(queues().at(0).paused);
  const auto id = id_of(accept("function:f", "a"));
  EXPECT_EQ(find(id).value().state, State::queued);
  ASSERT_TRUE(ask<void>([&](auto then) { engine->pause("function:f", false, then); }));
  EXPECT_TRUE(comes_to(id, State::succeeded));
  EXPECT_EQ(ask<void>([&](auto then) { engine->pause("nobody", true, then); }).error().code,
            EventsErrc::unknown_queue);
}

TEST_F(EngineTest, DeadLettersAreListedTriedAgainAndPurged) {
  deploy("f", {}, 1);
  deliverer.plays(Verdict::Kind::hopeless);
  std::vector<DeliveryId> ids;
  for (const char* body : {"a", "b", "c"}) ids.push_back(id_of(accept("function:f", body)));
  for (const auto& id : ids) ASSERT_TRUE(comes_to(id, State::dead));
  const auto dead = [&] {
    DeliveryQuery query;
    query.state = State::dead;
    return ask<std::vector<DeliveryRecord>>([&](auto then) { engine->list("function:f", query, then); })
        .value()
        .size();
  };
  EXPECT_EQ(dead(), 3U);
  deliverer.plays(Verdict::Kind::succeeded);
  EXPECT_EQ(ask<State>([&](auto then) { engine->retry(ids[0], then); }).value(), State::queued);
  ASSERT_TRUE(comes_to(ids[0], State::succeeded));
  EXPECT_EQ(ask<std::size_t>([&](auto then) { engine->redrive("function:f", 1, then); }).value(), 1U);
  while (dead() > 1) {
  }
  EXPECT_EQ(ask<std::size_t>([&](auto then) { engine->purge("function:f", State::dead, then); }).value(), 1U);
  EXPECT_EQ(dead(), 0U);
  EXPECT_EQ(ask<std::size_t>([&](auto then) { engine->redrive("nobody", 1, then); }).error().code,
            EventsErrc::unknown_queue);
}

TEST_F(EngineTest, WhatRunsWhenItStopsIsAttemptedAgainAfterTheNextStart) {
  deploy("f", {}, 1);
  deliverer.keeps = true;
  const auto id = id_of(accept("function:f", "a"));
  ASSERT_TRUE(deliverer.delivered(1));
  EXPECT_EQ(find(id).value().state, State::running);
  deliverer.keeps = false;
  open();
  deploy("f", {}, 1);
  EXPECT_TRUE(deliverer.delivered(2));
  EXPECT_TRUE(comes_to(id, State::succeeded));
}

TEST_F(EngineTest, AnEngineThatIsQuietBeginsNothing) {
  deploy("f", {}, 1);
  engine->quiesce();
  const auto id = id_of(accept("function:f", "a"));
  EXPECT_EQ(find(id).value().state, State::queued);
  engine->stop(1s);
  EXPECT_TRUE(deliverer.bodies.empty());
}

TEST_F(EngineTest, ItEndsWithAnythingUnderWay) {
  deploy("f", subscriber("t"), 2);
  deliverer.keeps = true;
  for (int i = 0; i < 50; ++i) {
    engine->accept("function:f", std::vector<NewEvent>(2), [](const auto&) {});
    engine->queues([](const auto&) {});
    engine->redrive("function:f", 10, [](const auto&) {});
    engine->set_function("g" + std::to_string(i), subscriber("t"));
  }
  engine.reset();
  store.reset();
}

TEST_F(EngineTest, AScheduleThatComesBackWithARollbackDoesNotRunForTheTimeBetween) {
  FunctionEvents events;
  events.schedules.push_back(daily());
  deploy("f", events, 2);
  deploy("f", {}, 2);
  clock.advance(24h * 30);
  deploy("f", events, 2);
  std::vector<ScheduleView> views;
  while (views.empty())
    views = ask<std::vector<ScheduleView>>([&](auto then) { engine->schedules(then); }).value();
  EXPECT_EQ(views[0].next, clock.wall() + 24h);
}

TEST_F(EngineTest, AScheduleIsKnownAndRunByHand) {
  FunctionEvents events;
  events.schedules.push_back(daily());
  events.schedules.front().payload = "scheduled";
  deploy("f", events, 2);
  const auto views = ask<std::vector<ScheduleView>>([&](auto then) { engine->schedules(then); }).value();
  ASSERT_EQ(views.size(), 1U);
  EXPECT_EQ(views[0].function, "f");
  EXPECT_EQ(views[0].next, events.schedules.front().since + 24h);
  ASSERT_TRUE(ask<std::vector<Accepted>>([&](auto then) { engine->run_schedule(views[0].name, then); }));
  EXPECT_TRUE(deliverer.delivered(1));
  EXPECT_EQ(deliverer.bodies.at(0), "scheduled");
  engine->set_function("f", std::nullopt);
  EXPECT_TRUE(ask<std::vector<ScheduleView>>([&](auto then) { engine->schedules(then); })->empty());
}

}  // namespace
}  // namespace mayfly::events
