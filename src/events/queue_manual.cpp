// What people do to single deliveries: cancel them, attempt them again.
#include <algorithm>

#include "events/queue.h"
#include "events/queue_here.h"

namespace mayfly::events {

/// In the window, and the one that is meant.
Queue::Entries::iterator Queue::find(const DeliveryId& id) {
  const auto found = entries_.find(id.position);
  return found == entries_.end() || found->second.event->check != id.check ? entries_.end() : found;
}

void Queue::end(const DeliveryId& id, Change how, Then<State> then) {
  const auto found = find(id);
  if (found == entries_.end()) return change_stored(id, how, std::move(then));
  auto& entry = found->second;
  entry.waiting.push_back(std::move(then));
  if (entry.place == Place::recording) return;  // who asked hears what it came to
  if (entry.place == Place::running) {
    entry.cancelled = true;
    entry.unwanted |= how == Change::cancel;
    if (entry.attempting && is_unwanted(*entry.attempting)) entry.attempting->cancel();
    return;
  }
  leave(id.position, entry);
  record({outcome(id.position, entry, State::cancelled)});
}

/// All of its batch: else the others would fail with it.
bool Queue::is_unwanted(const Attempting& attempting) const {
  return std::ranges::all_of(entries_, [&](const auto& one) {
    return one.second.attempting.get() != &attempting || one.second.unwanted;
  });
}

void Queue::retry(const DeliveryId& id, Then<State> then) {
  const auto found = find(id);
  if (found == entries_.end()) return change_stored(id, Change::retry, std::move(then));
  auto& entry = found->second;
  if (entry.place == Place::running || entry.place == Place::recording)
    return then(fail(EventsErrc::delivery_running, "it is being attempted"));
  leave(id.position, entry);
  entry.attempts = 0;
  entry.since = context_.clock.wall();
  entry.again.push_back(std::move(then));
  record({outcome(id.position, entry, State::queued)});
}

/// One that is not in the window.
void Queue::change_stored(const DeliveryId& id, Change change, Then<State> then) {
  auto here_id = id;
  here_id.queue = info_.id;
  context_.store.find(here_id, here<DeliveryRecord>([this, change, then = std::move(then)](auto record) {
                        if (!record) return then(propagate(record));
                        on_found(change, *record, then);
                      }));
}

void Queue::on_found(Change change, const DeliveryRecord& record, const Then<State>& then) {
  const auto position = record.id.position;
  const bool retry = change == Change::retry;
  if (entries_.contains(position))  // it has come into the window meanwhile
    return retry ? this->retry(record.id, then) : end(record.id, change, then);
  if (!retry && is_final(record.state)) return then(fail(EventsErrc::delivery_ended, "it has ended"));
  if (retry && role_ && is_final(record.state))
    return then(fail(EventsErrc::delivery_ended,
                     "it is a part of a pipeline's run, which has gone on without it: retry the run"));
  if (!record.event) return then(fail(EventsErrc::unknown_delivery, "its event is not kept any more"));
  if (changing_.contains(position)) return then(fail(EventsErrc::delivery_running, "it is being changed"));
  Entry entry;
  entry.event = record.event;
  entry.attempts = retry ? 0 : record.attempts;
  entry.since = retry ? context_.clock.wall() : record.since;
  const auto state = retry ? State::queued : State::cancelled;
  auto changed = outcome(position, entry, state);
  decide(record.event, changed);
  changing_.emplace(position, nullptr);
  ++recording_;
  context_.store.record({std::move(changed)}, {},
                        here<std::vector<EventPtr>>([this, then, state, record](auto result) {
                          --recording_;
                          on_changed(record, state, result.has_value());
                          if (!result) return then(propagate(result));
                          if (follow_up && !result->empty()) follow_up(*result);
                          then(state);
                        }));
}

/// `written`: it has a row now. Else nothing has changed, and it is delivered as it was to be.
void Queue::on_changed(const DeliveryRecord& before, State state, bool written) {
  const auto position = before.id.position;
  const bool had_row = before.since != WallTime{};
  if (written) count_row(had_row && !is_final(before.state), !is_final(state));
  const auto passed = changing_.extract(position).mapped();
  if (passed) without_row_.erase(position);
  if (written && position > loaded_) rows_ahead_.insert(position);
  if (!written && passed) admit(passed);
  if (!written || !is_final(state)) {
    forgotten_ = true;
    look_again_ = context_.clock.now();
    load_due();
  }
  dispatch();
}

}  // namespace mayfly::events
