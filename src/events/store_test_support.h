// For tests of event stores: calls that wait for their answer, and events and outcomes of few words.
#pragma once

#include <gtest/gtest.h>

#include <cerrno>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/temp_folder.h"
#include "events/sqlite_store.h"

namespace mayfly::events {

/// What a call tells: `ask<StreamInfo>([&](auto then) { store.open_stream("x", then); })`.
template <class T>
Result<T> ask(const auto& call) {
  auto answer = std::make_shared<std::promise<Result<T>>>();
  auto future = answer->get_future();
  call(Then<T>([answer](Result<T> result) { answer->set_value(std::move(result)); }));
  if (future.wait_for(std::chrono::seconds(30)) != std::future_status::ready)
    return fail_errno("wait for the store", ETIMEDOUT);
  return future.get();
}

/// The value of a call that succeeds.
template <class T>
T get(const auto& call) {
  auto result = ask<T>(call);
  if (!result) throw std::runtime_error(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

inline NewEvent event_with(StreamId stream, std::string body) {
  return {.stream = stream, .form = Form::event, .body = std::move(body)};
}

/// A decision that has this event accepted.
inline Decision accepting(NewEvent event) {
  return [event = std::move(event)](Transaction& transaction) -> Result<void> {
    auto accepted = transaction.append(event);
    return accepted ? Result<void>() : Result<void>(std::unexpected(accepted.error()));
  };
}

/// A store, and its calls with their answers.
class AskedStore {
 public:
  explicit AskedStore(std::unique_ptr<EventStore> store) : store_(std::move(store)) {}
  static AskedStore open(const SqliteStoreOptions& options) {
    auto opened = SqliteStore::open(options);
    if (!opened) throw std::runtime_error(opened.error().message);
    return AskedStore(std::move(*opened));
  }

  EventStore* operator->() { return store_.get(); }
  void close() { store_.reset(); }

  StreamInfo stream(const std::string& name = "topic:t") {
    return get<StreamInfo>([&](auto then) { store_->open_stream(name, then); });
  }
  QueueInfo queue(const std::string& name, StreamId stream) {
    return get<QueueInfo>([&](auto then) { store_->open_queue(name, stream, then); });
  }
  std::vector<StreamInfo> streams() {
    return get<std::vector<StreamInfo>>([&](auto then) { store_->streams(then); });
  }
  std::vector<QueueInfo> queues() {
    return get<std::vector<QueueInfo>>([&](auto then) { store_->queues(then); });
  }
  Result<std::vector<Accepted>> try_append(std::vector<NewEvent> events) {
    return ask<std::vector<Accepted>>([&](auto then) { store_->append(std::move(events), then); });
  }
  Result<std::vector<Accepted>> try_append(NewEvent event) {
    return try_append(std::vector<NewEvent>{std::move(event)});
  }
  EventPtr append(NewEvent event) {
    auto accepted = try_append(std::move(event));
    if (!accepted) throw std::runtime_error(accepted.error().message);
    return accepted->front().event;
  }
  EventPtr append(StreamId stream, std::string body) { return append(event_with(stream, std::move(body))); }
  std::vector<EventPtr> read(StreamId stream, Position after = 0, ReadLimits limits = {}) {
    return get<std::vector<EventPtr>>([&](auto then) { store_->read(stream, after, limits, then); });
  }
  std::vector<EventPtr> record(std::vector<Outcome> outcomes, std::map<QueueId, Position> cursors = {}) {
    return get<std::vector<EventPtr>>([&](auto then) { store_->record(std::move(outcomes), cursors, then); });
  }
  std::vector<OpenDelivery> open_deliveries(QueueId queue, WallTime until, ReadLimits limits = {}) {
    return get<std::vector<OpenDelivery>>(
        [&](auto then) { store_->open_deliveries(queue, until, limits, then); });
  }
  std::vector<Position> with_rows(QueueId queue, Position after, Position until) {
    return get<std::vector<Position>>([&](auto then) { store_->with_rows(queue, after, until, then); });
  }
  Result<DeliveryRecord> find(const DeliveryId& id) {
    return ask<DeliveryRecord>([&](auto then) { store_->find(id, then); });
  }
  std::vector<DeliveryRecord> list(const DeliveryQuery& query) {
    return get<std::vector<DeliveryRecord>>([&](auto then) { store_->list(query, then); });
  }
  std::map<State, std::uint64_t> count(QueueId queue) {
    return get<std::map<State, std::uint64_t>>([&](auto then) { store_->count(queue, then); });
  }
  std::size_t expire(WallTime now, milliseconds keep, std::size_t limit = 1'000) {
    return get<std::size_t>([&](auto then) { store_->expire(now, keep, limit, then); });
  }
  std::size_t purge(QueueId queue, State state) {
    return get<std::size_t>([&](auto then) { store_->purge(queue, state, then); });
  }
  std::map<std::string, std::int64_t> marks() {
    return get<std::map<std::string, std::int64_t>>([&](auto then) { store_->marks(then); });
  }

 private:
  std::unique_ptr<EventStore> store_;
};

inline std::vector<std::string> bodies_of(const std::vector<EventPtr>& events) {
  std::vector<std::string> bodies;
  bodies.reserve(events.size());
  for (const auto& event : events) bodies.push_back(event->body);
  return bodies;
}

/// A store in a folder of its own, with a clock that stands still.
class StoreTest : public testing::Test {
 protected:
  StoreTest() { clock_.advance(kStart); }
  [[nodiscard]] std::filesystem::path file() const { return folder_.path() / "events.db"; }
  [[nodiscard]] SqliteStoreOptions options() const { return {.file = file(), .clock = &clock_}; }
  [[nodiscard]] AskedStore open() const { return AskedStore::open(options()); }

  /// What has become of an event in a queue, after an attempt.
  [[nodiscard]] Outcome outcome(QueueId queue, const Event& event, State state, int attempt = 1) const {
    return {.queue = queue,
            .stream = event.stream,
            .position = event.position,
            .state = state,
            .attempts = attempt,
            .not_before = clock_.wall(),
            .attempt = Attempt{.number = attempt,
                               .started = clock_.wall(),
                               .ended = clock_.wall(),
                               .version = "hello@3",
                               .type = state == State::succeeded ? "" : "pool:handler-threw",
                               .message = ""},
            .at = clock_.wall(),
            .expires = clock_.wall() + std::chrono::hours(1)};
  }
  [[nodiscard]] static DeliveryId id_of(const Event& event, QueueId queue) {
    return {.stream = event.stream, .position = event.position, .queue = queue, .check = event.check};
  }

  static constexpr std::chrono::hours kStart{24 * 365 * 55};
  TempFolder folder_;
  ManualClock clock_;
};

}  // namespace mayfly::events
