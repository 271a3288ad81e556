// EventTables: what is read.
#include <algorithm>

#include "events/event_rows.h"
#include "events/event_tables.h"

namespace mayfly::events {
namespace {

/// How many bytes of bodies one list holds; one delivery at least.
constexpr std::size_t kListBytes = 4U << 20U;

std::unexpected<Error> unknown_delivery(const DeliveryId& id) {
  return fail(EventsErrc::unknown_delivery, "there is no delivery '" + to_text(id) + "', or not any more");
}

}  // namespace

Result<std::vector<EventPtr>> EventTables::read(StreamId stream, Position after, ReadLimits limits) {
  std::vector<EventPtr> events;
  std::size_t bytes = 0;
  static const auto sql = "SELECT " + std::string(kEventColumns) +
                          ", body FROM events WHERE id > ? AND id <= ? ORDER BY id LIMIT ?";
  // The sum of the bodies is not known before they are read: some at a time, so that what is too much is
  // little.
  constexpr std::size_t kAtOnce = 16;
  while (events.size() < limits.count) {
    const auto most = std::min(kAtOnce, limits.count - events.size());
    std::size_t got = 0;
    bool enough = false;
    auto read = database_.query(
        sql,
        [&](const store::Row& row) {
          ++got;
          if (enough) return;
          auto event = event_of(row);
          bytes += event->body.size();
          enough = bytes > limits.bytes;
          if (enough && !events.empty()) return;
          events.push_back(std::move(event));
        },
        key_of(stream, events.empty() ? after : events.back()->position), key_of(stream, kNewestPosition),
        most);
    if (!read) return propagate(read);
    if (enough || got < most) break;
  }
  return events;
}

Result<EventPtr> EventTables::event(StreamId stream, Position position, bool body) {
  static const auto columns = "SELECT " + std::string(kEventColumns);
  static const auto whole = columns + ", body FROM events WHERE id = ?";
  static const auto without_body = columns + ", NULL FROM events WHERE id = ?";
  EventPtr event;
  auto read = database_.query(
      body ? whole : without_body, [&](const store::Row& row) { event = event_of(row); },
      key_of(stream, position));
  if (!read) return propagate(read);
  return event;
}

Result<std::vector<EventPtr>> EventTables::fetch(StreamId stream, const std::vector<Position>& positions) {
  std::vector<EventPtr> events;
  events.reserve(positions.size());
  for (const auto position : positions) {
    auto one = event(stream, position);
    if (!one) return propagate(one);
    if (*one) events.push_back(std::move(*one));
  }
  return events;
}

Result<std::vector<OpenDelivery>> EventTables::open_deliveries(QueueId id, WallTime until,
                                                               ReadLimits limits) {
  std::vector<OpenDelivery> open;
  auto its_queue = queue(id);
  if (!its_queue) return propagate(its_queue);
  if (*its_queue == nullptr) return open;
  auto read = database_.query(
      "SELECT id, state, attempts, not_before, part, since FROM deliveries INDEXED BY deliveries_due "
      "WHERE queue = ? AND state IN (1, 3) AND not_before <= ? ORDER BY not_before, id LIMIT ?",
      [&](const store::Row& row) {
        open.push_back({.position = position_in(row.integer(0)),
                        .state = static_cast<State>(row.integer(1)),
                        .attempts = static_cast<int>(row.integer(2)),
                        .since = time_of(row.integer(5)),
                        .not_before = time_of(row.integer(3)),
                        .partition = row.text(4)});
      },
      id, to_millis(until), limits.count);
  if (!read) return propagate(read);
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < open.size(); ++i) {
    auto its_event = event((*its_queue)->stream, open[i].position);
    if (!its_event) return propagate(its_event);
    bytes += *its_event ? (*its_event)->body.size() : 0;
    if (i > 0 && bytes > limits.bytes) {
      open.resize(i);
      open.back().more = true;
      break;
    }
    open[i].event = std::move(*its_event);
  }
  return open;
}

Result<std::vector<Position>> EventTables::with_rows(QueueId queue, Position after, Position until) {
  std::vector<Position> positions;
  auto read = database_.query(
      "SELECT id FROM deliveries WHERE id > ? AND id <= ? ORDER BY id",
      [&](const store::Row& row) { positions.push_back(position_in(row.integer(0))); }, key_of(queue, after),
      key_of(queue, until));
  if (!read) return propagate(read);
  return positions;
}

Result<std::map<std::string, std::int64_t>> EventTables::marks() {
  std::map<std::string, std::int64_t> marks;
  auto read = database_.query("SELECT name, value FROM marks",
                              [&](const store::Row& row) { marks[row.text(0)] = row.integer(1); });
  if (!read) return propagate(read);
  return marks;
}

Result<std::map<State, std::uint64_t>> EventTables::count(QueueId id) {
  auto found = queue(id);
  if (!found) return propagate(found);
  return *found == nullptr ? std::map<State, std::uint64_t>() : (*found)->counts;
}

Result<std::vector<Attempt>> EventTables::history(std::int64_t id) {
  std::vector<Attempt> attempts;
  auto read = database_.query(
      "SELECT number, started, ended, version, type, message FROM attempts WHERE delivery = ? ORDER BY "
      "number",
      [&](const store::Row& row) {
        attempts.push_back({.number = static_cast<int>(row.integer(0)),
                            .started = time_of(row.integer(1)),
                            .ended = time_of(row.integer(2)),
                            .version = row.text(3),
                            .type = row.text(4),
                            .message = row.text(5)});
      },
      id);
  if (!read) return propagate(read);
  return attempts;
}

Result<std::optional<DeliveryRecord>> EventTables::delivery(std::int64_t id, StreamId stream, bool bodies) {
  std::optional<DeliveryRecord> record;
  static const std::string columns =
      "SELECT code, state, attempts, not_before, finished, since, status, headers, ";
  static const auto whole = columns + "body FROM deliveries WHERE id = ?";
  static const auto without_body = columns + "NULL FROM deliveries WHERE id = ?";
  auto read = database_.query(
      bodies ? whole : without_body,
      [&](const store::Row& row) {
        record.emplace();
        record->id = {.stream = stream,
                      .position = position_in(id),
                      .queue = owner_in(id),
                      .check = static_cast<std::uint64_t>(row.integer(0))};
        record->state = static_cast<State>(row.integer(1));
        record->attempts = static_cast<int>(row.integer(2));
        record->not_before = time_of(row.integer(3));
        if (!row.is_null(4)) record->finished = time_of(row.integer(4));
        record->since = time_of(row.integer(5));
        if (!row.is_null(6))
          record->answer = {
              .status = static_cast<unsigned>(row.integer(6)), .headers = row.blob(7), .body = row.blob(8)};
      },
      id);
  if (!read) return propagate(read);
  if (!record) return record;
  auto its_event = event(stream, position_in(id), bodies);
  if (!its_event) return propagate(its_event);
  record->event = std::move(*its_event);
  if (!bodies) return record;
  auto attempts = history(id);
  if (!attempts) return propagate(attempts);
  record->history = std::move(*attempts);
  return record;
}

Result<DeliveryRecord> EventTables::find(DeliveryId id) {
  if (id.queue == 0) {
    auto all = queues_of(id.stream);
    if (!all) return propagate(all);
    if (all->size() != 1) return unknown_delivery(id);
    id.queue = all->front();
  }
  auto its_queue = queue(id.queue);
  if (!its_queue) return propagate(its_queue);
  if (*its_queue == nullptr || (*its_queue)->stream != id.stream) return unknown_delivery(id);
  auto record = delivery(key_of(id.queue, id.position), id.stream, true);
  if (!record) return propagate(record);
  if (*record) {
    if ((*record)->id != id) return unknown_delivery(id);
    return std::move(**record);
  }
  // No row: it waits for its first attempt, if its queue has not come to it yet.
  auto its_event = event(id.stream, id.position);
  if (!its_event) return propagate(its_event);
  if (!*its_event || (*its_event)->check != id.check || id.position <= (*its_queue)->cursor)
    return unknown_delivery(id);
  const auto& waiting = **its_event;
  return DeliveryRecord{
      .event = *its_event, .id = id, .not_before = waiting.not_before.value_or(waiting.accepted)};
}

Result<std::vector<DeliveryRecord>> EventTables::list(const DeliveryQuery& query) {
  std::vector<DeliveryRecord> records;
  auto its_queue = queue(query.queue);
  if (!its_queue) return propagate(its_queue);
  if (*its_queue == nullptr || query.before == 0) return records;
  std::vector<std::int64_t> ids;
  const auto limit = std::clamp<std::size_t>(query.limit, 1, 1'000);
  const auto add = [&](const store::Row& row) { ids.push_back(row.integer(0)); };
  const auto first = key_of(query.queue, 0);
  const auto last = key_of(query.queue, query.before - 1);
  auto read =
      query.state
          ? database_.query(
                "SELECT id FROM deliveries WHERE queue = ? AND state = ? AND id BETWEEN ? AND ? "
                "ORDER BY id DESC LIMIT ?",
                add, query.queue, static_cast<int>(*query.state), first, last, limit)
          : database_.query("SELECT id FROM deliveries WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT ?",
                            add, first, last, limit);
  if (!read) return propagate(read);
  std::size_t bytes = 0;
  for (const auto id : ids) {
    auto record = delivery(id, (*its_queue)->stream, query.bodies);
    if (!record) return propagate(record);
    if (!*record) continue;
    bytes += ((*record)->event ? (*record)->event->body.size() : 0) +
             ((*record)->answer ? (*record)->answer->body.size() : 0);
    if (!records.empty() && bytes > kListBytes) break;
    records.push_back(std::move(**record));
  }
  return records;
}

}  // namespace mayfly::events
