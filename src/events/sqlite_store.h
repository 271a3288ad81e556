// SqliteStore: the event store in one SQLite file of its own, on one thread of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "base/clock.h"
#include "events/event_tables.h"
#include "events/group_commit.h"
#include "events/store.h"

namespace mayfly::events {

struct SqliteStoreOptions {
  std::filesystem::path file;    ///< DIR/events.db; is made if it is not there
  std::string vfs{};             ///< name of a registered sqlite3_vfs; empty: the system's
  const Clock* clock = nullptr;  ///< nullptr: the system's; read on the store's thread
  GroupCommit::Bounds bounds{};
};

/// Thread-safe as EventStore says. The destructor finishes and tells all that waits; what is called meanwhile
/// is told store_failed.
///
/// What is called at about the same time is written together (group_commit.h), and one call sees what those
/// before it wrote. A call that fails has no effect on the others. When the disk is full, calls are told
/// store_full until there is space again. purge() and drop_queue() of much are done a piece at a time, so
/// that others have their turn; then `then` comes later than those of calls that came after.
class SqliteStore final : public EventStore {
 public:
  /// Errors: StoreErrc (busy, corrupt, newer_schema, …).
  [[nodiscard]] static Result<std::unique_ptr<SqliteStore>> open(const SqliteStoreOptions& options);

  void open_stream(std::string name, Then<StreamInfo> then) override;
  void open_queue(std::string name, StreamId stream, Then<QueueInfo> then) override;
  void streams(Then<std::vector<StreamInfo>> then) override;
  void set_open(StreamId stream, bool open, Then<void> then) override;
  void queues(Then<std::vector<QueueInfo>> then) override;
  void drop_queue(QueueId queue, Then<void> then) override;
  void pause_queue(QueueId queue, bool paused, Then<void> then) override;
  void append(std::vector<NewEvent> events, Then<std::vector<Accepted>> then) override;
  void record(std::vector<Outcome> outcomes, std::map<QueueId, Position> cursors,
              Then<std::vector<EventPtr>> then) override;
  void decide(Decision decision, std::size_t brings, Then<std::vector<EventPtr>> then) override;
  void look(Look look, Then<void> then) override;
  void documents(DocumentQuery query, Then<std::vector<Document>> then) override;
  void read(StreamId stream, Position after, ReadLimits limits, Then<std::vector<EventPtr>> then) override;
  void fetch(StreamId stream, std::vector<Position> positions, Then<std::vector<EventPtr>> then) override;
  void open_deliveries(QueueId queue, WallTime until, ReadLimits limits,
                       Then<std::vector<OpenDelivery>> then) override;
  void with_rows(QueueId queue, Position after, Position until, Then<std::vector<Position>> then) override;
  void find(DeliveryId id, Then<DeliveryRecord> then) override;
  void list(DeliveryQuery query, Then<std::vector<DeliveryRecord>> then) override;
  void count(QueueId queue, Then<std::map<State, std::uint64_t>> then) override;
  void expire(WallTime now, std::chrono::milliseconds keep, std::size_t limit,
              Then<std::size_t> then) override;
  void purge(QueueId queue, State state, Then<std::size_t> then) override;
  void set_mark(Mark mark, Then<void> then) override;
  void marks(Then<std::map<std::string, std::int64_t>> then) override;
  [[nodiscard]] StoreFigures figures() const override;

 private:
  [[nodiscard]] Then<std::vector<EventPtr>> counting(Then<std::vector<EventPtr>> then);
  SqliteStore(EventTables tables, const SqliteStoreOptions& options);

  EventTables tables_;  // the thread's alone
  const std::filesystem::path file_;
  std::atomic<std::uint64_t> appended_ = 0;
  GroupCommit group_;  // last: its thread uses the others
};

}  // namespace mayfly::events
