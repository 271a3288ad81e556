// EventTables: what is removed.
#include <algorithm>

#include "events/event_rows.h"
#include "events/event_tables.h"

namespace mayfly::events {
namespace {

/// How much later a delivery that has expired and cannot be removed yet is looked at again.
constexpr std::chrono::hours kLookAgain{1};

struct Found {
  std::int64_t id;
  State state;
};

}  // namespace

Result<void> EventTables::remove_delivery(std::int64_t id, State state) {
  auto its_queue = queue(owner_in(id));
  if (!its_queue) return propagate(its_queue);
  if (*its_queue != nullptr) {
    --(*its_queue)->counts[state];
    (*its_queue)->changed = true;
  }
  if (auto removed = database_.run("DELETE FROM attempts WHERE delivery = ?", id); !removed) return removed;
  return database_.run("DELETE FROM deliveries WHERE id = ?", id);
}

/// Takes its name from it. The only queue of a stream gets a successor that has passed all there is, in the
/// same transaction: one that is made later would begin with the stream's first event, and deliver again what
/// was done.
Result<void> EventTables::disown_queue(QueueId id) {
  std::string name;
  StreamId stream = 0;
  bool is_only_one = false;
  auto read = database_.query(
      "SELECT queues.name, streams.id, queues.name = streams.name FROM queues JOIN streams ON streams.id = "
      "stream "
      "WHERE queues.id = ? AND queues.name IS NOT NULL",
      [&](const store::Row& row) {
        name = row.text(0);
        stream = static_cast<StreamId>(row.integer(1));
        is_only_one = row.integer(2) != 0;
      },
      id);
  if (!read || name.empty()) return read;
  if (auto done = database_.run("UPDATE queues SET name = NULL WHERE id = ?", id); !done) return done;
  if (!is_only_one) return {};
  auto position = newest(stream);
  if (!position) return propagate(position);
  return database_.run("INSERT INTO queues(name, stream, cursor) VALUES (?, ?, ?)", name, stream, **position);
}

Result<std::size_t> EventTables::drop_queue(QueueId id, std::size_t limit) {
  queues_.erase(id);
  auto done = disown_queue(id);
  if (!done) return propagate(done);
  std::vector<Found> found;
  auto read = database_.query(
      "SELECT id, state FROM deliveries WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?",
      [&](const store::Row& row) { found.push_back({row.integer(0), static_cast<State>(row.integer(1))}); },
      key_of(id, 0), key_of(id, kNewestPosition), limit);
  if (!read) return propagate(read);
  for (const auto& one : found)
    if (auto removed = remove_delivery(one.id, one.state); !removed) return propagate(removed);
  if (found.size() < limit) done = database_.run("DELETE FROM queues WHERE id = ?", id);
  if (!done) return propagate(done);
  return found.size();
}

Result<std::vector<QueueId>> EventTables::half_dropped() {
  std::vector<QueueId> all;
  auto read = database_.query("SELECT id FROM queues WHERE name IS NULL", [&](const store::Row& row) {
    all.push_back(static_cast<QueueId>(row.integer(0)));
  });
  if (!read) return propagate(read);
  return all;
}

/// Not those that the cursor has not passed: from their rows is known that they are not to be delivered
/// again.
Result<std::size_t> EventTables::purge(QueueId id, State state, std::size_t limit) {
  auto its_queue = queue(id);
  if (!its_queue) return propagate(its_queue);
  if (*its_queue == nullptr || !is_final(state)) return 0;
  std::vector<std::int64_t> found;
  auto read = database_.query(
      "SELECT id FROM deliveries WHERE queue = ? AND state = ? AND id BETWEEN ? AND ? ORDER BY id LIMIT ?",
      [&](const store::Row& row) { found.push_back(row.integer(0)); }, id, static_cast<int>(state),
      key_of(id, 0), key_of(id, (*its_queue)->cursor), limit);
  if (!read) return propagate(read);
  for (const auto one : found)
    if (auto removed = remove_delivery(one, state); !removed) return propagate(removed);
  return found.size();
}

Result<std::size_t> EventTables::expire(WallTime now, std::chrono::milliseconds keep, std::size_t limit) {
  auto removed = expire_deliveries(now, limit);
  if (!removed) return removed;
  auto keys = expire_keys(now, limit - *removed);
  if (!keys) return keys;
  *removed += *keys;
  auto documents = expire_documents(now, limit - *removed);
  if (!documents) return documents;
  *removed += *documents;
  auto left = limit - *removed;
  std::vector<StreamId> streams;
  auto read = database_.query("SELECT id FROM streams", [&](const store::Row& row) {
    streams.push_back(static_cast<StreamId>(row.integer(0)));
  });
  if (!read) return propagate(read);
  for (const auto stream : streams) {
    if (left == 0) break;
    auto events = expire_events(stream, now, keep, left);
    if (!events) return events;
    *removed += *events;
  }
  return removed;
}

Result<std::size_t> EventTables::expire_deliveries(WallTime now, std::size_t limit) {
  std::vector<Found> found;
  auto read = database_.query(
      "SELECT id, state FROM deliveries WHERE expires IS NOT NULL AND expires <= ? ORDER BY expires LIMIT ?",
      [&](const store::Row& row) { found.push_back({row.integer(0), static_cast<State>(row.integer(1))}); },
      to_millis(now), limit);
  if (!read) return propagate(read);
  std::size_t removed = 0;
  for (const auto& [id, state] : found) {
    auto its_queue = queue(owner_in(id));
    if (!its_queue) return propagate(its_queue);
    if (*its_queue != nullptr && position_in(id) > (*its_queue)->cursor) {
      // From its row is known that it is not to be delivered again. Later, so that it hinders no others.
      auto put_off =
          database_.run("UPDATE deliveries SET expires = ? WHERE id = ?", to_millis(now + kLookAgain), id);
      if (!put_off) return propagate(put_off);
      continue;
    }
    if (auto done = remove_delivery(id, state); !done) return propagate(done);
    ++removed;
  }
  return removed;
}

Result<std::size_t> EventTables::expire_keys(WallTime now, std::size_t limit) {
  std::vector<std::pair<StreamId, std::string>> found;
  auto read = database_.query(
      "SELECT stream, key FROM idempotency WHERE expires <= ? ORDER BY expires LIMIT ?",
      [&](const store::Row& row) { found.emplace_back(static_cast<StreamId>(row.integer(0)), row.text(1)); },
      to_millis(now), limit);
  if (!read) return propagate(read);
  for (const auto& [stream, key] : found) {
    auto removed = database_.run("DELETE FROM idempotency WHERE stream = ? AND key = ?", stream, key);
    if (!removed) return propagate(removed);
  }
  return found.size();
}

/// Whether a queue still has to deliver it, or keeps it as a dead letter.
Result<bool> EventTables::is_needed(Position position, std::span<const QueueId> queues) {
  for (const auto id : queues) {
    auto state = stored_state(key_of(id, position));
    if (!state) return propagate(state);
    if (*state && **state != State::succeeded && **state != State::cancelled) return true;
  }
  return false;
}

/// Looks at no more events than `limit`, and takes from it how many it looked at.
Result<std::size_t> EventTables::expire_events(StreamId stream, WallTime now, std::chrono::milliseconds keep,
                                               std::size_t& limit) {
  auto its_queues = queues_of(stream);
  if (!its_queues) return propagate(its_queues);
  Position until = kNewestPosition;
  for (const auto id : *its_queues) {
    auto its_queue = queue(id);
    if (!its_queue) return propagate(its_queue);
    if (*its_queue != nullptr) until = std::min(until, (*its_queue)->cursor);
  }
  std::vector<std::pair<Position, bool>> candidates;  // and whether they can go
  bool more = true;                                   // events that are old enough behind these
  // They are in the order of their ages: some at a time, so that of those that are not old enough few are
  // read.
  constexpr std::size_t kAtOnce = 64;
  while (more && candidates.size() < limit) {
    const auto most = std::min(kAtOnce, limit - candidates.size());
    std::size_t looked = 0;
    auto read = database_.query(
        "SELECT id, accepted, key <> '' FROM events WHERE id > ? AND id <= ? ORDER BY id LIMIT ?",
        [&](const store::Row& row) {
          ++looked;
          const auto age = std::chrono::floor<milliseconds>(now - time_of(row.integer(1)));
          more = more && age > keep;
          // The key's row names its event for as long as it stands.
          const bool has_key = row.integer(2) != 0;
          if (more) candidates.emplace_back(position_in(row.integer(0)), !has_key || age > kIdempotencyTime);
        },
        key_of(stream, candidates.empty() ? searched_[stream] : candidates.back().first),
        key_of(stream, until), most);
    if (!read) return propagate(read);
    more = more && looked == most;
  }
  limit -= candidates.size();
  std::size_t removed = 0;
  for (const auto& [position, can_go] : candidates) {
    auto needed = can_go ? is_needed(position, *its_queues) : Result<bool>(true);
    if (!needed) return propagate(needed);
    if (*needed) continue;
    auto newest_one = newest(stream);  // before the first is gone: it may be that one
    if (!newest_one) return propagate(newest_one);
    if (removed++ == 0) {
      auto kept = database_.run("UPDATE streams SET newest = ? WHERE id = ?", **newest_one, stream);
      if (!kept) return propagate(kept);
    }
    auto done = database_.run("DELETE FROM events WHERE id = ?", key_of(stream, position));
    if (!done) return propagate(done);
  }
  searched_[stream] = more && !candidates.empty() ? candidates.back().first : 0;
  return removed;
}

}  // namespace mayfly::events
