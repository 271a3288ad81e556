#include "events/sqlite_store.h"

#include <system_error>

#include "events/store_call.h"

namespace mayfly::events {
namespace {

const SystemClock kSystemClock;

/// Bytes that an event's texts hold, and about as many as its row has besides.
std::size_t weight_of(const NewEvent& event) {
  constexpr std::size_t kRow = 256;
  return kRow + event.method.size() + event.target.size() + event.fields.size() + event.body.size() +
         event.partition.size() + event.idempotency_key.size() + event.callback.size();
}

std::size_t weight_of(const Outcome& outcome) {
  constexpr std::size_t kRow = 256;
  return kRow + (outcome.answer ? outcome.answer->headers.size() + outcome.answer->body.size() : 0) +
         (outcome.attempt ? outcome.attempt->message.size() : 0);
}

template <class T>
std::size_t weight_of(const std::vector<T>& all) {
  std::size_t weight = 0;
  for (const auto& one : all) weight += weight_of(one);
  return weight;
}

std::shared_ptr<Event> event_of(NewEvent&& given) {
  auto event = std::make_shared<Event>();
  static_cast<NewEvent&>(*event) = std::move(given);
  return event;
}

/// `work` is Result<T>(), and may run more than once.
template <class T, class Work>
std::unique_ptr<Call> call(Call::Kind kind, std::size_t weight, Work work, Then<T> then) {
  return std::make_unique<StoreCall<T, Work>>(kind, weight, std::move(work), std::move(then));
}
template <class T, class Work>
std::unique_ptr<Call> reading(Work work, Then<T> then) {
  return call(Call::Kind::read, 0, std::move(work), std::move(then));
}
template <class T, class Work>
std::unique_ptr<Call> writing(std::size_t weight, Work work, Then<T> then) {
  return call(Call::Kind::write, weight, std::move(work), std::move(then));
}
template <class T, class Work>
std::unique_ptr<Call> sliced(Work work, Then<T> then) {
  return std::make_unique<SlicedCall<T, Work>>(std::move(work), std::move(then));
}

std::uint64_t size_of(const std::filesystem::path& file) {
  std::error_code none;
  const auto size = std::filesystem::file_size(file, none);
  return none ? 0 : size;
}

}  // namespace

SqliteStore::SqliteStore(EventTables tables, const SqliteStoreOptions& options)
    : tables_(std::move(tables)),
      file_(options.file),
      group_([this](const auto& work) { return tables_.transaction(work); }, options.bounds) {}

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const SqliteStoreOptions& options) {
  auto tables =
      EventTables::open(options.file, options.vfs, options.clock != nullptr ? *options.clock : kSystemClock);
  if (!tables) return propagate(tables);
  auto half_dropped = tables->half_dropped();
  if (!half_dropped) return propagate(half_dropped);
  std::unique_ptr<SqliteStore> store(new SqliteStore(std::move(*tables), options));
  for (const auto queue : *half_dropped) store->drop_queue(queue, [](Result<void>) {});
  return store;
}

void SqliteStore::open_stream(std::string name, Then<StreamInfo> then) {
  group_.put(
      writing(0, [this, name = std::move(name)] { return tables_.open_stream(name); }, std::move(then)));
}

void SqliteStore::open_queue(std::string name, StreamId stream, Then<QueueInfo> then) {
  group_.put(writing(
      0, [this, name = std::move(name), stream] { return tables_.open_queue(name, stream); },
      std::move(then)));
}

void SqliteStore::streams(Then<std::vector<StreamInfo>> then) {
  group_.put(reading([this] { return tables_.streams(); }, std::move(then)));
}

void SqliteStore::set_open(StreamId stream, bool open, Then<void> then) {
  group_.put(writing(0, [this, stream, open] { return tables_.set_open(stream, open); }, std::move(then)));
}

void SqliteStore::queues(Then<std::vector<QueueInfo>> then) {
  group_.put(reading([this] { return tables_.queues(); }, std::move(then)));
}

void SqliteStore::drop_queue(QueueId queue, Then<void> then) {
  group_.put(
      sliced([this, queue](std::size_t limit) { return tables_.drop_queue(queue, limit); }, std::move(then)));
}

void SqliteStore::pause_queue(QueueId queue, bool paused, Then<void> then) {
  group_.put(
      writing(0, [this, queue, paused] { return tables_.pause_queue(queue, paused); }, std::move(then)));
}

void SqliteStore::append(std::vector<NewEvent> events, Then<std::vector<Accepted>> then) {
  const auto weight = weight_of(events);
  std::vector<std::shared_ptr<Event>> whole;
  whole.reserve(events.size());
  for (auto& event : events) whole.push_back(event_of(std::move(event)));
  const auto count = [this, then = std::move(then)](Result<std::vector<Accepted>> accepted) {
    if (accepted)
      for (const auto& one : *accepted) appended_ += one.known ? 0 : 1;
    then(std::move(accepted));
  };
  group_.put(call<std::vector<Accepted>>(
      Call::Kind::append, weight, [this, whole = std::move(whole)] { return tables_.append(whole); }, count));
}

/// Counts what decisions had accepted.
Then<std::vector<EventPtr>> SqliteStore::counting(Then<std::vector<EventPtr>> then) {
  return [this, then = std::move(then)](Result<std::vector<EventPtr>> accepted) {
    if (accepted) appended_ += accepted->size();
    then(std::move(accepted));
  };
}

void SqliteStore::record(std::vector<Outcome> outcomes, std::map<QueueId, Position> cursors,
                         Then<std::vector<EventPtr>> then) {
  const auto weight = weight_of(outcomes);
  const auto work = [this, outcomes = std::move(outcomes), cursors = std::move(cursors)] {
    return tables_.record(outcomes, cursors);
  };
  group_.put(writing<std::vector<EventPtr>>(weight, work, counting(std::move(then))));
}

void SqliteStore::decide(Decision decision, std::size_t brings, Then<std::vector<EventPtr>> then) {
  group_.put(call<std::vector<EventPtr>>(
      brings > 0 ? Call::Kind::append : Call::Kind::write, brings,
      [this, decision = std::move(decision)] { return tables_.decide(decision); },
      counting(std::move(then))));
}

void SqliteStore::look(Look look, Then<void> then) {
  group_.put(reading([this, look = std::move(look)] { return tables_.look(look); }, std::move(then)));
}

void SqliteStore::documents(DocumentQuery query, Then<std::vector<Document>> then) {
  group_.put(reading([this, query = std::move(query)] { return tables_.documents(query); }, std::move(then)));
}

void SqliteStore::read(StreamId stream, Position after, ReadLimits limits, Then<std::vector<EventPtr>> then) {
  group_.put(reading([this, stream, after, limits] { return tables_.read(stream, after, limits); },
                     std::move(then)));
}

void SqliteStore::fetch(StreamId stream, std::vector<Position> positions, Then<std::vector<EventPtr>> then) {
  group_.put(
      reading([this, stream, positions = std::move(positions)] { return tables_.fetch(stream, positions); },
              std::move(then)));
}

void SqliteStore::open_deliveries(QueueId queue, WallTime until, ReadLimits limits,
                                  Then<std::vector<OpenDelivery>> then) {
  group_.put(reading([this, queue, until, limits] { return tables_.open_deliveries(queue, until, limits); },
                     std::move(then)));
}

void SqliteStore::with_rows(QueueId queue, Position after, Position until, Then<std::vector<Position>> then) {
  group_.put(reading([this, queue, after, until] { return tables_.with_rows(queue, after, until); },
                     std::move(then)));
}

void SqliteStore::set_mark(Mark mark, Then<void> then) {
  group_.put(writing(0, [this, mark = std::move(mark)] { return tables_.set_mark(mark); }, std::move(then)));
}

void SqliteStore::marks(Then<std::map<std::string, std::int64_t>> then) {
  group_.put(reading([this] { return tables_.marks(); }, std::move(then)));
}

void SqliteStore::find(DeliveryId id, Then<DeliveryRecord> then) {
  group_.put(reading([this, id] { return tables_.find(id); }, std::move(then)));
}

void SqliteStore::list(DeliveryQuery query, Then<std::vector<DeliveryRecord>> then) {
  group_.put(reading([this, query] { return tables_.list(query); }, std::move(then)));
}

void SqliteStore::count(QueueId queue, Then<std::map<State, std::uint64_t>> then) {
  group_.put(reading([this, queue] { return tables_.count(queue); }, std::move(then)));
}

void SqliteStore::expire(WallTime now, std::chrono::milliseconds keep, std::size_t limit,
                         Then<std::size_t> then) {
  group_.put(
      writing(0, [this, now, keep, limit] { return tables_.expire(now, keep, limit); }, std::move(then)));
}

void SqliteStore::purge(QueueId queue, State state, Then<std::size_t> then) {
  group_.put(sliced([this, queue, state](std::size_t limit) { return tables_.purge(queue, state, limit); },
                    std::move(then)));
}

StoreFigures SqliteStore::figures() const {
  auto log = file_;
  log += "-wal";
  return {.bytes = size_of(file_) + size_of(log),
          .waiting = group_.waiting(),
          .commits = group_.commits(),
          .appended = appended_};
}

}  // namespace mayfly::events
