// EventTables: what the event store does in its file, step by step; knows nothing of threads and groups.
// One thread at a time.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "events/payload_digest.h"
#include "events/random_checks.h"
#include "events/store.h"
#include "events/transaction.h"
#include "store/database.h"

namespace mayfly::events {

/// The calls mean what those of EventStore mean. Errors are EventsErrc's refusals (unknown_delivery,
/// unknown_queue, idempotency_mismatch), which wrote nothing, and StoreErrc's, after which the transaction
/// has to be undone.
class EventTables {
 public:
  [[nodiscard]] static Result<EventTables> open(const std::filesystem::path& file, const std::string& vfs,
                                                const Clock& clock);

  /// Runs work in one transaction: the writes below belong into one.
  [[nodiscard]] Result<void> transaction(const std::function<Result<void>()>& work);

  [[nodiscard]] Result<StreamInfo> open_stream(const std::string& name);
  [[nodiscard]] Result<void> set_open(StreamId stream, bool open);
  [[nodiscard]] Result<QueueInfo> open_queue(const std::string& name, StreamId stream);
  [[nodiscard]] Result<std::vector<StreamInfo>> streams();
  [[nodiscard]] Result<std::vector<QueueInfo>> queues();
  [[nodiscard]] Result<void> pause_queue(QueueId queue, bool paused);
  /// At most `limit` rows at once; gives how many. Fewer: it is gone altogether.
  [[nodiscard]] Result<std::size_t> drop_queue(QueueId queue, std::size_t limit);
  /// Those whose dropping was begun.
  [[nodiscard]] Result<std::vector<QueueId>> half_dropped();

  /// Sets position, check and time of acceptance in the events.
  [[nodiscard]] Result<std::vector<Accepted>> append(std::span<const std::shared_ptr<Event>> events);
  [[nodiscard]] Result<std::vector<EventPtr>> record(const std::vector<Outcome>& outcomes,
                                                     const std::map<QueueId, Position>& cursors);

  [[nodiscard]] Result<std::vector<EventPtr>> decide(const Decision& decision);
  [[nodiscard]] Result<void> look(const Look& look);
  [[nodiscard]] Result<std::vector<Document>> documents(const DocumentQuery& query);

  [[nodiscard]] Result<std::vector<EventPtr>> read(StreamId stream, Position after, ReadLimits limits);
  [[nodiscard]] Result<std::vector<EventPtr>> fetch(StreamId stream, const std::vector<Position>& positions);
  [[nodiscard]] Result<std::vector<OpenDelivery>> open_deliveries(QueueId queue, WallTime until,
                                                                  ReadLimits limits);
  [[nodiscard]] Result<std::vector<Position>> with_rows(QueueId queue, Position after, Position until);
  [[nodiscard]] Result<void> set_mark(const Mark& mark);
  [[nodiscard]] Result<std::map<std::string, std::int64_t>> marks();
  [[nodiscard]] Result<DeliveryRecord> find(DeliveryId id);
  [[nodiscard]] Result<std::vector<DeliveryRecord>> list(const DeliveryQuery& query);
  [[nodiscard]] Result<std::map<State, std::uint64_t>> count(QueueId queue);

  [[nodiscard]] Result<std::size_t> expire(WallTime now, std::chrono::milliseconds keep, std::size_t limit);
  /// At most `limit` rows at once; gives how many. Fewer: these were all.
  [[nodiscard]] Result<std::size_t> purge(QueueId queue, State state, std::size_t limit);

 private:
  class DecisionTransaction;
  /// What is kept in memory of a queue that was used.
  struct Queue {
    StreamId stream = 0;
    Position cursor = 0;
    std::map<State, std::uint64_t> counts{};
    bool changed = false;  ///< has to be written before the commit
  };

  EventTables(store::Database database, const Clock& clock)
      : database_(std::move(database)), clock_(&clock) {}

  [[nodiscard]] WallTime now() const;
  /// The newest position of a stream that was ever used. Valid until the end of the transaction.
  [[nodiscard]] Result<Position*> newest(StreamId stream);
  /// Null: there is none, or it was dropped. Valid until the end of the transaction.
  [[nodiscard]] Result<Queue*> queue(QueueId id);
  [[nodiscard]] Result<void> write_queues();
  [[nodiscard]] Result<std::vector<QueueId>> queues_of(StreamId stream);

  [[nodiscard]] Result<void> find_known(std::span<const std::shared_ptr<Event>> events,
                                        std::span<Accepted> accepted, std::span<PayloadDigest> digests);
  [[nodiscard]] Result<EventPtr> known(const Event& event, const PayloadDigest& digest);
  [[nodiscard]] Result<void> insert(Event& event);
  [[nodiscard]] Result<bool> move_mark(const std::optional<Mark>& mark);
  [[nodiscard]] Result<void> remember_key(const Event& event, const PayloadDigest& digest);
  /// Null: is not kept any more.
  [[nodiscard]] Result<EventPtr> event(StreamId stream, Position position, bool body = true);

  [[nodiscard]] Result<void> record_one(const Outcome& outcome);
  [[nodiscard]] Result<bool> insert_delivery(std::int64_t id, const Outcome& outcome);
  [[nodiscard]] Result<void> update_delivery(std::int64_t id, const Outcome& outcome);
  [[nodiscard]] Result<void> insert_attempt(std::int64_t id, const Attempt& attempt);
  [[nodiscard]] Result<std::optional<State>> stored_state(std::int64_t id);
  /// All that is kept of a delivery; nothing: it has no row.
  [[nodiscard]] Result<std::optional<DeliveryRecord>> delivery(std::int64_t id, StreamId stream, bool bodies);
  [[nodiscard]] Result<std::vector<Attempt>> history(std::int64_t id);

  [[nodiscard]] Result<void> disown_queue(QueueId id);
  [[nodiscard]] Result<void> remove_delivery(std::int64_t id, State state);
  [[nodiscard]] Result<std::size_t> expire_deliveries(WallTime now, std::size_t limit);
  [[nodiscard]] Result<std::size_t> expire_documents(WallTime now, std::size_t limit);
  [[nodiscard]] Result<std::size_t> expire_keys(WallTime now, std::size_t limit);
  [[nodiscard]] Result<std::size_t> expire_events(StreamId stream, WallTime now,
                                                  std::chrono::milliseconds keep, std::size_t& limit);
  [[nodiscard]] Result<bool> is_needed(Position position, std::span<const QueueId> queues);

  store::Database database_;
  const Clock* clock_;
  RandomChecks checks_;
  // Read again from the file when they are needed: so what is undone only has to be forgotten.
  std::unordered_map<StreamId, Position> newest_;
  std::unordered_map<QueueId, Queue> queues_;
  /// Behind which position a stream's next search for expired events goes on; events that have to be kept are
  /// not looked at each time.
  std::unordered_map<StreamId, Position> searched_;
};

}  // namespace mayfly::events
