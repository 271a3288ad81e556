#include "events/event_tables.h"

#include "events/schema.h"
#include "store/schema.h"

namespace mayfly::events {
namespace {

std::unexpected<Error> unknown_stream(StreamId stream) {
  return fail(EventsErrc::store_failed, "there is no stream " + std::to_string(stream));
}

/// The counts of a queue in the order of its columns.
constexpr std::array kCounted{State::queued, State::failed, State::succeeded, State::dead, State::cancelled};

}  // namespace

Result<EventTables> EventTables::open(const std::filesystem::path& file, const std::string& vfs,
                                      const Clock& clock) {
  auto database = store::Database::open(file, {.vfs = vfs});
  if (!database) return propagate(database);
  // What is removed is overwritten where that costs no further page. The log may stay as large as a usual
  // one: to write over what is there needs no sync of the file's size.
  auto set_up = database->script(
      "PRAGMA secure_delete = FAST; PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -16384;");
  if (!set_up) return propagate(set_up);
  if (auto migrated = store::migrate(*database, migrations()); !migrated) return propagate(migrated);
  return EventTables(std::move(*database), clock);
}

WallTime EventTables::now() const {
  return std::chrono::floor<milliseconds>(clock_->wall());  // as it is kept
}

Result<void> EventTables::transaction(const std::function<Result<void>()>& work) {
  auto done = database_.transaction([&]() -> Result<void> {
    if (auto worked = work(); !worked) return worked;
    return write_queues();
  });
  if (!done) {
    newest_.clear();
    queues_.clear();
    searched_.clear();
  }
  return done;
}

Result<Position*> EventTables::newest(StreamId stream) {
  if (auto found = newest_.find(stream); found != newest_.end()) return &found->second;
  std::optional<Position> position;
  auto read = database_.query(
      "SELECT newest FROM streams WHERE id = ?", [&](const store::Row& row) { position = row.integer(0); },
      stream);
  if (!read) return propagate(read);
  if (!position) return unknown_stream(stream);
  read = database_.query(
      "SELECT id FROM events WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1",
      [&](const store::Row& row) { position = std::max(*position, position_in(row.integer(0))); },
      key_of(stream, 0), key_of(stream, kNewestPosition));
  if (!read) return propagate(read);
  return &(newest_[stream] = *position);
}

Result<StreamInfo> EventTables::open_stream(const std::string& name) {
  StreamInfo info{.name = name};
  const auto look = [&] {
    return database_.query(
        "SELECT id, open FROM streams WHERE name = ?",
        [&](const store::Row& row) {
          info.id = static_cast<StreamId>(row.integer(0));
          info.open = row.integer(1) != 0;
        },
        name);
  };
  if (auto read = look(); !read) return propagate(read);
  if (info.id == 0) {
    if (auto made = database_.run("INSERT INTO streams(name) VALUES (?)", name); !made)
      return propagate(made);
    if (auto read = look(); !read) return propagate(read);
  }
  auto position = newest(info.id);
  if (!position) return propagate(position);
  info.newest = **position;
  return info;
}

Result<void> EventTables::set_open(StreamId stream, bool open) {
  return database_.run("UPDATE streams SET open = ? WHERE id = ?", open, stream);
}

Result<std::vector<StreamInfo>> EventTables::streams() {
  std::vector<StreamInfo> all;
  auto read = database_.query("SELECT id, name, open FROM streams ORDER BY id", [&](const store::Row& row) {
    all.push_back(
        {.id = static_cast<StreamId>(row.integer(0)), .open = row.integer(2) != 0, .name = row.text(1)});
  });
  if (!read) return propagate(read);
  for (auto& one : all) {
    auto position = newest(one.id);
    if (!position) return propagate(position);
    one.newest = **position;
  }
  return all;
}

namespace {

constexpr auto kQueueColumns = "SELECT id, stream, name, cursor, paused FROM queues ";

QueueInfo queue_of(const store::Row& row) {
  return {.id = static_cast<QueueId>(row.integer(0)),
          .stream = static_cast<StreamId>(row.integer(1)),
          .name = row.text(2),
          .cursor = static_cast<Position>(row.integer(3)),
          .paused = row.integer(4) != 0};
}

}  // namespace

Result<QueueInfo> EventTables::open_queue(const std::string& name, StreamId stream) {
  if (auto written = write_queues(); !written) return propagate(written);
  QueueInfo info;
  const auto look = [&] {
    static const auto sql = std::string(kQueueColumns) + "WHERE name = ?";
    return database_.query(sql, [&](const store::Row& row) { info = queue_of(row); }, name);
  };
  if (auto read = look(); !read) return propagate(read);
  if (info.id != 0) return info;
  auto position = newest(stream);
  if (!position) return propagate(position);
  // A stream of one queue alone has its name. What was accepted before the queue was made is for it, too.
  auto made = database_.run(
      "INSERT INTO queues(name, stream, cursor) VALUES (?1, ?2, CASE WHEN ?1 = (SELECT name FROM streams "
      "WHERE "
      "id = ?2) THEN 0 ELSE ?3 END)",
      name, stream, **position);
  if (!made) return propagate(made);
  if (auto read = look(); !read) return propagate(read);
  return info;
}

Result<std::vector<QueueInfo>> EventTables::queues() {
  if (auto written = write_queues(); !written) return propagate(written);
  std::vector<QueueInfo> all;
  static const auto sql = std::string(kQueueColumns) + "WHERE name IS NOT NULL ORDER BY id";
  auto read = database_.query(sql, [&](const store::Row& row) { all.push_back(queue_of(row)); });
  if (!read) return propagate(read);
  return all;
}

Result<EventTables::Queue*> EventTables::queue(QueueId id) {
  if (auto found = queues_.find(id); found != queues_.end()) return &found->second;
  std::optional<Queue> queue;
  auto read = database_.query(
      "SELECT stream, cursor, queued, failed, succeeded, dead, cancelled FROM queues WHERE id = ? AND name "
      "IS NOT NULL",
      [&](const store::Row& row) {
        queue = {.stream = static_cast<StreamId>(row.integer(0)),
                 .cursor = static_cast<Position>(row.integer(1))};
        int column = 2;
        for (const auto state : kCounted)
          queue->counts[state] = static_cast<std::uint64_t>(row.integer(column++));
      },
      id);
  if (!read) return propagate(read);
  if (!queue) return nullptr;
  return &(queues_[id] = std::move(*queue));
}

Result<void> EventTables::write_queues() {
  for (auto& [id, queue] : queues_) {
    if (!queue.changed) continue;
    const auto count = [&](State state) { return queue.counts[state]; };
    auto written = database_.run(
        "UPDATE queues SET cursor = ?, queued = ?, failed = ?, succeeded = ?, dead = ?, cancelled = ? WHERE "
        "id = ?",
        queue.cursor, count(State::queued), count(State::failed), count(State::succeeded), count(State::dead),
        count(State::cancelled), id);
    if (!written) return written;
    queue.changed = false;
  }
  return {};
}

Result<std::vector<QueueId>> EventTables::queues_of(StreamId stream) {
  std::vector<QueueId> all;
  auto read = database_.query(
      "SELECT id FROM queues WHERE stream = ? AND name IS NOT NULL ORDER BY id",
      [&](const store::Row& row) { all.push_back(static_cast<QueueId>(row.integer(0))); }, stream);
  if (!read) return propagate(read);
  return all;
}

Result<void> EventTables::pause_queue(QueueId id, bool paused) {
  auto found = queue(id);
  if (!found) return propagate(found);
  if (*found == nullptr) return fail(EventsErrc::unknown_queue, "there is no queue " + std::to_string(id));
  return database_.run("UPDATE queues SET paused = ? WHERE id = ?", paused, id);
}

}  // namespace mayfly::events
