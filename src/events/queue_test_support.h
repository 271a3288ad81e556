// A queue over a real store, with a clock that stands still and a deliverer that the test plays. Used by
// tests alone.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <deque>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "base/standing_clock_test_support.h"
#include "base/temp_folder.h"
#include "events/queue.h"
#include "events/sqlite_store.h"

namespace mayfly::events {

/// Keeps what it is to deliver until the test says how it went.
class PlayedDeliverer final : public Deliverer {
 public:
  struct Open final : Attempting {
    Task task;
    std::function<void(std::vector<Verdict>)> then;
    bool cancelled = false;
    void cancel() override { cancelled = true; }
    [[nodiscard]] std::string body() const {
      std::string all;
      for (const auto& item : task.items) all += item.event->body;
      return all;
    }
  };
  std::shared_ptr<Attempting> deliver(Task task, std::function<void(std::vector<Verdict>)> then) override {
    auto open = std::make_shared<Open>();
    open->task = std::move(task);
    open->then = std::move(then);
    opened.push_back(open);
    bodies.push_back(open->body());
    return open;
  }
  /// Ends the oldest attempt, with the same verdict for all of it.
  void end(Verdict::Kind kind) {
    const auto open = opened.front();
    opened.pop_front();
    Verdict verdict{kind, {}, "f@1", {}, {}, {}};
    if (kind != Verdict::Kind::succeeded) verdict.type = "test:failed";
    open->then(std::vector<Verdict>(open->task.items.size(), verdict));
  }
  std::deque<std::shared_ptr<Open>> opened;
  std::vector<std::string> bodies;  // of all that was ever delivered
};

struct QueueTest : testing::Test {
  static constexpr auto kSucceeded = Verdict::Kind::succeeded;
  static constexpr auto kFailed = Verdict::Kind::failed;

  QueueTest() { open(); }

  /// As after a start of the daemon.
  void open() {
    queue.reset();
    deliverer.opened.clear();
    store.reset();
    wheel = std::make_unique<DeadlineWheel>(clock.now());
    store =
        SqliteStore::open({.file = folder.path() / "events.db", .vfs = vfs, .clock = &clock, .bounds = {}})
            .value();
    stream = wait<StreamInfo>([&](auto then) { store->open_stream("topic:t", then); });
    info = wait<QueueInfo>([&](auto then) { store->open_queue("t>f", stream.id, then); });
    context =
        std::make_unique<QueueContext>(QueueContext{*store, deliverer, *wheel, clock, io.get_executor()});
    queue = std::make_shared<Queue>(*context, info, "f");
    queue->set(policy, filter);
    queue->start(stream.newest);
    queue->attach(true);
  }
  /// What the store says to a call.
  template <class T, class F>
  T wait(F call) {
    auto answer = std::make_shared<std::promise<Result<T>>>();
    call([answer](Result<T> result) { answer->set_value(std::move(result)); });
    auto result = answer->get_future().get();
    EXPECT_TRUE(result) << result.error().message;
    return result.value_or(T{});
  }
  EventPtr publish(const std::string& body, const std::string& partition = {}) {
    NewEvent event;
    event.stream = stream.id;
    event.body = body;
    event.partition = partition;
    const auto accepted = wait<std::vector<Accepted>>([&](auto then) { store->append({event}, then); });
    queue->on_appended(accepted.at(0).event);
    return accepted.at(0).event;
  }
  DeliveryRecord find(const EventPtr& event) {
    return wait<DeliveryRecord>(
        [&](auto then) { store->find({stream.id, event->position, info.id, event->check}, then); });
  }
  State state(const EventPtr& event) { return queue->peek(event->position).value_or(find(event).state); }
  template <class Condition>
  [[nodiscard]] bool until(Condition condition) {
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > patience) return false;
      io.restart();
      io.run_for(std::chrono::milliseconds(1));
    }
    return true;
  }
  [[nodiscard]] bool delivering(std::size_t attempts) {
    return until([&] { return deliverer.opened.size() == attempts; });
  }
  [[nodiscard]] bool comes_to(const EventPtr& event, State wanted) {
    return until([&] { return state(event) == wanted; });
  }
  /// Nothing is on its way any more.
  void settle() {
    ASSERT_TRUE(until([&] { return queue->figures().running == deliverer.opened.size() && quiet(); }));
  }
  bool quiet() {
    (void)wait<std::vector<StreamInfo>>([&](auto then) { store->streams(then); });
    io.restart();
    return io.poll() == 0;
  }
  void advance(nanoseconds by) {
    clock.advance(by);
    wheel->advance(clock.now());
  }

  TempFolder folder;
  std::string vfs{};
  StandingClock clock;
  boost::asio::io_context io;
  PlayedDeliverer deliverer;
  Policy policy{};
  Queue::Filter filter{};
  std::unique_ptr<SqliteStore> store;
  std::unique_ptr<DeadlineWheel> wheel;
  std::unique_ptr<QueueContext> context;
  StreamInfo stream;
  QueueInfo info;
  std::shared_ptr<Queue> queue;
};

}  // namespace mayfly::events
