// EventTables: what becomes of deliveries.
#include <spdlog/spdlog.h>

#include "events/event_rows.h"
#include "events/event_tables.h"
#include "events/refusal.h"

namespace mayfly::events {

Result<std::vector<EventPtr>> EventTables::record(const std::vector<Outcome>& outcomes,
                                                  const std::map<QueueId, Position>& cursors) {
  for (const auto& outcome : outcomes)
    if (auto done = record_one(outcome); !done) return propagate(done);
  for (const auto& [id, cursor] : cursors) {
    auto found = queue(id);
    if (!found) return propagate(found);
    if (*found == nullptr || (*found)->cursor >= cursor) continue;
    (*found)->cursor = cursor;
    (*found)->changed = true;
  }
  std::vector<EventPtr> events;
  for (const auto& outcome : outcomes) {
    if (!outcome.decision) continue;
    auto decided = decide(outcome.decision);
    if (decided)
      events.insert(events.end(), decided->begin(), decided->end());
    else if (is_refusal(decided.error()))  // what has become of the delivery is true all the same
      spdlog::error("what follows from a delivery was refused: {}", decided.error().message);
    else
      return propagate(decided);
  }
  return events;
}

/// Of a queue that was dropped, or an event that is not kept any more, nobody needs to know.
Result<void> EventTables::record_one(const Outcome& outcome) {
  auto found = queue(outcome.queue);
  if (!found) return propagate(found);
  if (*found == nullptr) return {};
  auto& counts = (*found)->counts;
  const auto id = key_of(outcome.queue, outcome.position);
  auto before = stored_state(id);
  if (!before) return propagate(before);
  if (*before) {
    if (auto updated = update_delivery(id, outcome); !updated) return updated;
    --counts[**before];
  } else {
    auto inserted = insert_delivery(id, outcome);
    if (!inserted) return propagate(inserted);
    if (!*inserted) return {};
  }
  ++counts[outcome.state];
  (*found)->changed = true;
  if (!outcome.attempt) return {};
  return insert_attempt(id, *outcome.attempt);
}

Result<std::optional<State>> EventTables::stored_state(std::int64_t id) {
  std::optional<State> state;
  auto read = database_.query(
      "SELECT state FROM deliveries WHERE id = ?",
      [&](const store::Row& row) { state = static_cast<State>(row.integer(0)); }, id);
  if (!read) return propagate(read);
  return state;
}

namespace {

/// The times that only a final delivery has.
std::optional<std::int64_t> if_final(const Outcome& outcome, WallTime time) {
  return is_final(outcome.state) ? std::optional(to_millis(time)) : std::nullopt;
}

/// The answer as its columns have it; a status of NULL: there was none.
struct AnswerColumns {
  explicit AnswerColumns(const std::optional<Answer>& answer) {
    if (!answer) return;
    status = answer->status;
    headers = {answer->headers};
    body = {answer->body};
  }
  std::optional<std::int64_t> status;
  store::Blob headers{};
  store::Blob body{};
};

}  // namespace

/// False: its event is not kept any more.
Result<bool> EventTables::insert_delivery(std::int64_t id, const Outcome& outcome) {
  std::optional<std::int64_t> code;
  std::string part;
  auto read = database_.query(
      "SELECT code, part FROM events WHERE id = ?",
      [&](const store::Row& row) {
        code = row.integer(0);
        part = row.text(1);
      },
      key_of(outcome.stream, outcome.position));
  if (!read) return propagate(read);
  if (!code) return false;
  const AnswerColumns answer(outcome.answer);
  auto written =
      database_.run("INSERT INTO deliveries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", id, *code,
                    static_cast<int>(outcome.state), outcome.attempts, to_millis(outcome.since),
                    to_millis(outcome.not_before), if_final(outcome, outcome.at),
                    if_final(outcome, outcome.expires), part, answer.status, answer.headers, answer.body);
  if (!written) return propagate(written);
  return true;
}

Result<void> EventTables::update_delivery(std::int64_t id, const Outcome& outcome) {
  auto written = database_.run(
      "UPDATE deliveries SET state = ?, attempts = ?, since = ?, not_before = ?, finished = ?, expires = ? "
      "WHERE id = ?",
      static_cast<int>(outcome.state), outcome.attempts, to_millis(outcome.since),
      to_millis(outcome.not_before), if_final(outcome, outcome.at), if_final(outcome, outcome.expires), id);
  // Without a new attempt (cancelled, tried again by hand) the last one's answer is still the last one.
  if (!written || (!outcome.attempt && !outcome.answer)) return written;
  const AnswerColumns answer(outcome.answer);
  return database_.run("UPDATE deliveries SET status = ?, headers = ?, body = ? WHERE id = ?", answer.status,
                       answer.headers, answer.body, id);
}

Result<void> EventTables::insert_attempt(std::int64_t id, const Attempt& attempt) {
  // Numbered on: one that is tried again by hand counts from 1 again, and its history stays.
  return database_.run(
      "INSERT INTO attempts SELECT ?1, coalesce(max(number), 0) + 1, ?2, ?3, ?4, ?5, ?6 FROM attempts "
      "WHERE delivery = ?1",
      id, to_millis(attempt.started), to_millis(attempt.ended), attempt.version, attempt.type,
      attempt.message);
}

}  // namespace mayfly::events
