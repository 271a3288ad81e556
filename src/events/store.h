// EventStore: where accepted events and the fate of their deliveries are kept. The interface that an engine
// has to give; the embedded one is SQLite (sqlite_store.h).
//
// Every call returns at once and may come from any thread. `then` is called exactly once, on the store's own
// thread, in the order of the calls, and must not wait. What it says is durable: it survives SIGKILL and a
// power cut. Errors: EventsErrc below.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "events/event.h"
#include "events/transaction.h"

namespace mayfly::events {

enum class EventsErrc {
  store_full = 1,        ///< the disk is, or too much waits to be written; nothing was accepted
  store_failed,          ///< a read, write or sync failed; nothing was accepted
  unknown_delivery,      ///< there is none with this id, or not any more
  idempotency_mismatch,  ///< the same Idempotency-Key with another payload
  unknown_topic,         ///< nobody has made it, and no function subscribes to it
  unknown_queue,
  no_function,       ///< the function is not deployed
  no_result,         ///< it has ended, and there is no answer of it
  backlog_full,      ///< too many events wait in the stream; details: limit, retry-after
  delivery_running,  ///< is being attempted just now
  delivery_ended,    ///< has succeeded, is dead or was cancelled
  unknown_pipeline,
  unknown_run,     ///< of this pipeline; or it is not kept any more
  run_ended,       ///< it has, or has not, so that what was asked for cannot be
  not_awaited,     ///< no step of the run waits for an event of this name
  bad_value,       ///< a run cannot take it: no text, too large, or nested too deeply
  no_callbacks,    ///< no results are sent to URLs here
  queue_attached,  ///< the queue's function is there
};
[[nodiscard]] std::error_code make_error_code(EventsErrc code);

template <class T>
using Then = std::function<void(Result<T>)>;

struct StreamInfo {
  StreamId id = 0;
  bool open = false;    ///< everybody may publish to it
  std::string name{};   ///< "topic:NAME" or "function:NAME"
  Position newest = 0;  ///< of the last event accepted; 0: none ever
};

struct QueueInfo {
  QueueId id = 0;
  StreamId stream = 0;
  std::string name{};   ///< unique: "TOPIC>FUNCTION", "function:NAME"
  Position cursor = 0;  ///< all events up to it are done, or are among the open deliveries
  bool paused = false;
};

struct ReadLimits {
  std::size_t count = 256;
  std::size_t bytes = 4U << 20U;  ///< of bodies; at least one event is read whatever its size
};

struct DeliveryQuery {
  QueueId queue = 0;
  std::optional<State> state{};  ///< none: all that have a row, newest first
  Position before = UINT64_MAX;  ///< only older ones: to page
  std::size_t limit = 100;       ///< 1 … 1000
  bool bodies = false;           ///< with the event's and the answer's bodies and the history
};

struct StoreFigures {
  std::uint64_t bytes = 0;     ///< of the file
  std::size_t waiting = 0;     ///< calls not done yet
  std::uint64_t commits = 0;   ///< groups written since the start
  std::uint64_t appended = 0;  ///< events accepted since the start
};

class EventStore {
 public:
  virtual ~EventStore() = default;

  /// Finds a stream, or makes it.
  virtual void open_stream(std::string name, Then<StreamInfo> then) = 0;
  /// Finds a queue, or makes it: a new one begins behind the newest event of its stream; at the first one, if
  /// it has its stream's name, for then it is the only one.
  virtual void open_queue(std::string name, StreamId stream, Then<QueueInfo> then) = 0;
  virtual void streams(Then<std::vector<StreamInfo>> then) = 0;
  virtual void set_open(StreamId stream, bool open, Then<void> then) = 0;
  virtual void queues(Then<std::vector<QueueInfo>> then) = 0;
  /// Forgets a queue with all its deliveries. If it is the only one of its stream, there is another one of
  /// its name from then on, which begins behind the newest event.
  virtual void drop_queue(QueueId queue, Then<void> then) = 0;
  virtual void pause_queue(QueueId queue, bool paused, Then<void> then) = 0;

  /// Accepts all of the events or none. An idempotency key counts within its stream, for `kIdempotencyTime`,
  /// and for the whole call: with other events beside it, it is a mismatch.
  virtual void append(std::vector<NewEvent> events, Then<std::vector<Accepted>> then) = 0;

  /// Writes down what has become of deliveries, and that all events of each queue up to its cursor are done
  /// or open. All or nothing; but what is said of queues and events that are not kept any more is left out.
  /// Gives the events that decisions had accepted.
  virtual void record(std::vector<Outcome> outcomes, std::map<QueueId, Position> cursors,
                      Then<std::vector<EventPtr>> then) = 0;

  /// Runs a decision by itself. Gives the events that it had accepted; or its refusal. `brings`: bytes that
  /// it adds; more than 0: it is refused first when too much waits, as append() is.
  virtual void decide(Decision decision, std::size_t brings, Then<std::vector<EventPtr>> then) = 0;
  /// Nothing is written for it. Gives its refusal.
  virtual void look(Look look, Then<void> then) = 0;
  virtual void documents(DocumentQuery query, Then<std::vector<Document>> then) = 0;

  /// Events of a stream behind a position, in order.
  virtual void read(StreamId stream, Position after, ReadLimits limits, Then<std::vector<EventPtr>> then) = 0;
  /// Some events of a stream; those that are not kept any more are left out.
  virtual void fetch(StreamId stream, std::vector<Position> positions, Then<std::vector<EventPtr>> then) = 0;
  /// The open deliveries of a queue that have a row and whose `not_before` is not later than `until`, those
  /// due first in front, with their events.
  virtual void open_deliveries(QueueId queue, WallTime until, ReadLimits limits,
                               Then<std::vector<OpenDelivery>> then) = 0;
  /// Which of a queue's deliveries behind a position and up to another have a row, whatever their state.
  virtual void with_rows(QueueId queue, Position after, Position until, Then<std::vector<Position>> then) = 0;

  /// One delivery. A queue of 0 in the id stands for the only one of a function's stream. unknown_delivery.
  virtual void find(DeliveryId id, Then<DeliveryRecord> then) = 0;
  /// With bodies, no more than some MiB of them at once, but one delivery at least: only an empty answer is
  /// the end.
  virtual void list(DeliveryQuery query, Then<std::vector<DeliveryRecord>> then) = 0;
  /// How many deliveries with a row are in each state.
  virtual void count(QueueId queue, Then<std::map<State, std::uint64_t>> then) = 0;

  /// Removes what has expired: final deliveries, and events older than `keep` that no queue of their stream
  /// still has to deliver. At most `limit` rows; gives how many.
  virtual void expire(WallTime now, std::chrono::milliseconds keep, std::size_t limit,
                      Then<std::size_t> then) = 0;
  /// Removes the final deliveries of a queue that are in this state, up to its cursor: what is behind it
  /// would be delivered again. This and drop_queue() may be done a piece at a time; then `then` is not in its
  /// turn.
  virtual void purge(QueueId queue, State state, Then<std::size_t> then) = 0;

  /// Writes down a mark for itself, whatever it was before.
  virtual void set_mark(Mark mark, Then<void> then) = 0;
  /// All marks: of events that were accepted, and others.
  virtual void marks(Then<std::map<std::string, std::int64_t>> then) = 0;

  [[nodiscard]] virtual StoreFigures figures() const = 0;
};

/// For how long an idempotency key stands for the event that was accepted with it.
inline constexpr std::chrono::hours kIdempotencyTime{24};

}  // namespace mayfly::events

template <>
struct std::is_error_code_enum<mayfly::events::EventsErrc> : std::true_type {};
