// EventTables: what is accepted.
#include <algorithm>

#include "events/event_rows.h"
#include "events/event_tables.h"

namespace mayfly::events {
namespace {

std::unexpected<Error> mismatch(const Event& event) {
  return fail(EventsErrc::idempotency_mismatch,
              "the Idempotency-Key '" + event.idempotency_key + "' was used with another payload");
}

}  // namespace

Result<std::vector<Accepted>> EventTables::append(std::span<const std::shared_ptr<Event>> events) {
  std::vector<Accepted> accepted(events.size());
  std::vector<PayloadDigest> digests(events.size());
  // Before anything is written: a refusal leaves nothing to undo.
  if (auto found = find_known(events, accepted, digests); !found) return propagate(found);
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (accepted[i].known) continue;
    auto moved = move_mark(events[i]->mark);
    if (!moved) return propagate(moved);
    accepted[i].known = !*moved;
    if (accepted[i].known) continue;
    if (auto stored = insert(*events[i]); !stored) return propagate(stored);
    accepted[i].event = events[i];
    if (events[i]->idempotency_key.empty()) continue;
    if (auto stored = remember_key(*events[i], digests[i]); !stored) return propagate(stored);
  }
  return accepted;
}

/// Which of the events were accepted before, or stand twice among these. `digests`: what each is kept with
/// under its key. Those of one call stand for all of it: with more or fewer events it is another one.
Result<void> EventTables::find_known(std::span<const std::shared_ptr<Event>> events,
                                     std::span<Accepted> accepted, std::span<PayloadDigest> digests) {
  if (std::ranges::all_of(events, [](const auto& one) { return one->idempotency_key.empty(); })) return {};
  std::ranges::transform(events, digests.begin(), [](const auto& one) { return payload_digest(*one); });
  const auto whole = events.size() == 1 ? digests[0] : payload_digest(digests);
  std::map<std::pair<StreamId, std::string_view>, std::size_t> first;
  for (std::size_t i = 0; i < events.size(); ++i) {
    const auto& event = *events[i];
    if (event.idempotency_key.empty()) continue;
    const auto [place, is_first] = first.try_emplace({event.stream, event.idempotency_key}, i);
    if (!is_first) {
      if (digests[i] != digests[place->second]) return mismatch(event);
      const auto& same = accepted[place->second];
      accepted[i] = {same.event ? same.event : events[place->second], true};
      continue;
    }
    auto earlier = known(event, whole);
    if (!earlier) return propagate(earlier);
    if (*earlier) accepted[i] = {std::move(*earlier), true};
  }
  std::ranges::fill(digests, whole);
  return {};
}

/// The event that was accepted with this key; null: none.
Result<EventPtr> EventTables::known(const Event& given, const PayloadDigest& digest) {
  Position position = 0;
  std::string its_digest;
  auto read = database_.query(
      "SELECT position, digest FROM idempotency WHERE stream = ? AND key = ? AND expires > ?",
      [&](const store::Row& row) {
        position = static_cast<Position>(row.integer(0));
        its_digest = row.blob(1);
      },
      given.stream, given.idempotency_key, to_millis(now()));
  if (!read) return propagate(read);
  if (position == 0) return EventPtr();
  if (!std::ranges::equal(its_digest, digest,
                          [](char a, unsigned char b) { return static_cast<unsigned char>(a) == b; }))
    return mismatch(given);
  return event(given.stream, position);
}

Result<void> EventTables::insert(Event& event) {
  auto position = newest(event.stream);
  if (!position) return propagate(position);
  if (**position >= kNewestPosition) return fail(EventsErrc::store_full, "a stream has no further positions");
  event.position = ++**position;
  event.check = checks_.next();
  event.accepted = now();
  std::optional<std::int64_t> not_before;
  if (event.not_before) not_before = to_millis(*event.not_before);
  return database_.run("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                       key_of(event.stream, event.position), event.check, to_millis(event.accepted),
                       static_cast<int>(event.form), not_before, event.method, event.target, event.partition,
                       event.idempotency_key, event.callback, store::Blob{event.fields},
                       store::Blob{event.body});
}

/// False: it is there already.
Result<bool> EventTables::move_mark(const std::optional<Mark>& mark) {
  if (!mark) return true;
  bool reached = false;
  auto read = database_.query(
      "SELECT value FROM marks WHERE name = ?",
      [&](const store::Row& row) {
        reached = row.integer(0) >= mark->value && row.integer(0) <= mark->latest;
      },
      mark->name);
  if (!read) return propagate(read);
  if (reached) return false;
  auto moved = set_mark(*mark);
  if (!moved) return propagate(moved);
  return true;
}

Result<void> EventTables::set_mark(const Mark& mark) {
  return database_.run("INSERT OR REPLACE INTO marks VALUES (?, ?)", mark.name, mark.value);
}

Result<void> EventTables::remember_key(const Event& event, const PayloadDigest& digest) {
  const std::string_view bytes(reinterpret_cast<const char*>(digest.data()), digest.size());
  // REPLACE: one that has expired may still be there.
  return database_.run("INSERT OR REPLACE INTO idempotency VALUES (?, ?, ?, ?, ?)", event.stream,
                       event.idempotency_key, store::Blob{bytes}, event.position,
                       to_millis(event.accepted + kIdempotencyTime));
}

}  // namespace mayfly::events
