// What people do to single deliveries: cancel them, attempt them again.
#include "events/queue.h"
#include "events/queue_here.h"

namespace mayfly::events {

void Queue::cancel(Position position, Then<State> then) {
  const auto found = entries_.find(position);
  if (found == entries_.end()) return change_stored(position, false, std::move(then));
  auto& entry = found->second;
  entry.waiting.push_back(std::move(then));
  if (entry.place == Place::recording) return;  // who asked hears what it came to
  if (entry.place == Place::running) {
    entry.cancelled = true;
    if (entry.attempting) entry.attempting->cancel();
    return;
  }
  leave(position, entry);
  record({outcome(position, entry, State::cancelled)});
}

void Queue::retry(Position position, Then<State> then) {
  const auto found = entries_.find(position);
  if (found == entries_.end()) return change_stored(position, true, std::move(then));
  auto& entry = found->second;
  if (entry.place == Place::running || entry.place == Place::recording)
    return then(fail(EventsErrc::delivery_running, "it is being attempted"));
  leave(position, entry);
  entry.not_before = {};
  place(position, entry);
  then(entry.attempts > 0 ? State::failed : State::queued);
  dispatch();
}

/// One that is not in the window.
void Queue::change_stored(Position position, bool retry, Then<State> then) {
  context_.store.find({info_.stream, position, info_.id, 0},
                      here<DeliveryRecord>([this, position, retry, then = std::move(then)](auto record) {
                        if (!record) return then(propagate(record));
                        on_found(position, retry, *record, then);
                      }));
}

void Queue::on_found(Position position, bool retry, const DeliveryRecord& record, const Then<State>& then) {
  if (entries_.contains(position))  // it has come into the window meanwhile
    return retry ? this->retry(position, then) : cancel(position, then);
  if (!retry && is_final(record.state)) return then(fail(EventsErrc::delivery_ended, "it has ended"));
  if (!record.event) return then(fail(EventsErrc::unknown_delivery, "its event is not kept any more"));
  Entry entry;
  entry.event = record.event;
  entry.attempts = retry ? 0 : record.attempts;
  const auto state = retry ? State::queued : State::cancelled;
  auto change = outcome(position, entry, state);
  if (position > loaded_) {  // the window comes to it later, and must know that it has a row
    rows_ahead_.insert(position);
  }
  ++recording_;
  context_.store.record({std::move(change)}, {},
                        here<std::vector<EventPtr>>([this, then, state](auto result) {
                          --recording_;
                          if (!result) return then(propagate(result));
                          if (!is_final(state)) {
                            forgotten_ = true;
                            look_again_ = context_.clock.now();
                            load_due();
                          }
                          then(state);
                        }));
}

}  // namespace mayfly::events
