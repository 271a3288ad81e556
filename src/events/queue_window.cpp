// What of a queue is in memory.
#include <algorithm>

#include "events/after.h"
#include "events/queue.h"
#include "events/queue_here.h"

namespace mayfly::events {
namespace {

/// When there was no room for all that is due, or it could not be read.
constexpr std::chrono::milliseconds kLookAgain{10'000};
/// Those that are in the window and as many as there is room for, and one more that says that there are
/// others.
constexpr std::size_t kDueCount = Queue::kWindowCount + 1;
/// A read that failed is tried again when the next event comes, or after this.
constexpr std::chrono::milliseconds kReadAgain{1'000};

}  // namespace

void Queue::start(Position newest) {
  newest_ = newest;
  loaded_ = told_ = info_.cursor;
  loading_ = true;  // until it is known what has a row already
  forgotten_ = true;
  const auto again = [this] {  // nothing is delivered before it is known what was
    after(context_.executor, kReadAgain, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->start(self->newest_);
    });
  };
  context_.store.count(info_.id, here<std::map<State, std::uint64_t>>([this, again](auto counts) {
                         if (!counts) return again();
                         open_rows_ = (*counts)[State::queued] + (*counts)[State::failed];
                         context_.store.with_rows(info_.id, info_.cursor, newest_,
                                                  here<std::vector<Position>>([this, again](auto positions) {
                                                    if (!positions) return again();
                                                    rows_ahead_.insert(positions->begin(), positions->end());
                                                    begin();
                                                  }));
                       }));
}

/// It is known what was delivered before.
void Queue::begin() {
  loading_ = false;
  started_ = true;
  load_due();
  load();
  dispatch();
}

void Queue::count_row(bool was_open, bool is_open) {
  if (is_open && !was_open) ++open_rows_;
  if (was_open && !is_open && open_rows_ > 0) --open_rows_;
}

bool Queue::has_room() const {
  return !is_full() && (without_row_.empty() || loaded_ < *without_row_.begin() + kWindowReach);
}

void Queue::on_appended(const EventPtr& event) {
  newest_ = std::max(newest_, event->position);
  if (!started_ || loading_) return;
  if (loaded_ + 1 == event->position && has_room()) {
    take(event);
    tell_cursor();
    return dispatch();
  }
  load();
}

/// Reads on where the window ends.
void Queue::load() {
  if (loading_ || !started_ || stopped_ || loaded_ >= newest_ || !has_room()) return;
  if (no_room_for_due_ && is_half_full()) return;  // else they would never get any
  loading_ = true;
  const ReadLimits limits{std::min<std::size_t>(256, kWindowCount - entries_.size()), kWindowBytes - bytes_};
  context_.store.read(info_.stream, loaded_, limits,
                      here<std::vector<EventPtr>>([this](auto events) { on_read(std::move(events)); }));
}

void Queue::on_read(Result<std::vector<EventPtr>> events) {
  loading_ = false;
  if (!events) {
    if (!pending()) context_.deadlines.add(*this, context_.clock.now() + kReadAgain);
    return;
  }
  if (events->empty()) loaded_ = newest_;  // what was there is not kept any more
  for (const auto& event : *events)
    if (event->position > loaded_) take(event);
  tell_cursor();
  dispatch();
  load();
}

/// The next event of the stream comes into the window, unless it is not for this queue.
void Queue::take(const EventPtr& event) {
  loaded_ = event->position;
  if (rows_ahead_.erase(event->position) > 0) return;  // is among the open deliveries, or is done
  if (filter_ && !filter_(*event)) return;
  if (const auto changing = changing_.find(event->position); changing != changing_.end()) {
    changing->second = event;
    without_row_.insert(event->position);
    return;
  }
  admit(event);
}

void Queue::admit(const EventPtr& event) {
  Entry entry;
  entry.event = event;
  if (event->not_before) entry.not_before = *event->not_before;
  entry.since =
      std::max(event->accepted, entry.not_before);  // what has to wait does not become old meanwhile
  without_row_.insert(event->position);
  const bool far = !policy_.ordered && entry.not_before > context_.clock.wall() + kNear;
  put(event->position, std::move(entry));
  if (!far) return;
  // So that the cursor can go on, and nothing is kept in memory for it.
  auto& placed = entries_.at(event->position);
  leave(event->position, placed);
  auto later = outcome(event->position, placed, State::queued);
  later.not_before = placed.not_before;
  record({std::move(later)});
}

void Queue::put(Position position, Entry entry) {
  bytes_ += size_of(*entry.event);
  if (policy_.ordered && !entry.event->partition.empty())
    partitions_[entry.event->partition].insert(position);
  if (role_) entry.max_age = policy_of(*entry.event).max_age;
  const auto [at, fresh] = entries_.emplace(position, std::move(entry));
  place(position, at->second);
}

/// Partitions have begun to matter, or do no longer.
void Queue::reorder() {
  partitions_.clear();
  for (const auto& [position, entry] : entries_)
    if (policy_.ordered && !entry.event->partition.empty())
      partitions_[entry.event->partition].insert(position);
  for (auto& [position, entry] : entries_) {
    if (entry.place >= Place::running) continue;
    leave(position, entry);
    place(position, entry);
  }
  if (!policy_.ordered || !started_) return;
  forgotten_ = true;  // those that are due later come before what is behind them
  look_again_ = context_.clock.now();
  load_due();
}

/// What waits for its first attempt and is not for this queue any more.
void Queue::refilter() {
  std::vector<Position> passed;
  for (const auto& [position, entry] : entries_)
    if (!entry.has_row && entry.place < Place::running && !filter_(*entry.event)) passed.push_back(position);
  for (const auto position : passed) {
    without_row_.erase(position);
    remove(entries_.find(position));
  }
}

/// Where an entry waits for its next attempt.
void Queue::place(Position position, Entry& entry) {
  if (entry.not_before > context_.clock.wall()) {
    entry.place = Place::delayed;
    delayed_.emplace(entry.not_before, position);
    return;
  }
  const auto partition = partitions_.find(entry.event->partition);
  if (partition != partitions_.end() && *partition->second.begin() != position) {
    entry.place = Place::blocked;
    return;
  }
  entry.place = Place::ready;
  entry.ready_since = context_.clock.now();
  ready_.insert(position);
}

/// It waits no longer where it does.
void Queue::leave(Position position, const Entry& entry) {
  if (entry.place == Place::ready) ready_.erase(position);
  if (entry.place == Place::delayed) delayed_.erase({entry.not_before, position});
}

/// It is not of the window any more. Who was behind it in its partition comes up.
void Queue::remove(Entries::iterator found) {
  const auto event = found->second.event;
  const auto position = found->first;
  leave(position, found->second);
  bytes_ -= size_of(*event);
  entries_.erase(found);
  const auto partition = partitions_.find(event->partition);
  if (partition == partitions_.end()) return;
  partition->second.erase(position);
  if (partition->second.empty()) {
    partitions_.erase(partition);
    return;
  }
  const auto next = *partition->second.begin();
  auto& entry = entries_.at(next);
  if (entry.place == Place::blocked) place(next, entry);
}

/// All events up to it have a row or are not for this queue, once `done` are written.
Position Queue::cursor(const std::vector<Outcome>& done) const {
  for (const auto position : without_row_)
    if (std::ranges::none_of(done, [&](const Outcome& one) { return one.position == position; }))
      return position - 1;
  return loaded_;
}

/// Takes what was forgotten until it is near.
void Queue::load_due() {
  if (!forgotten_ || loading_due_ || stopped_ || !started_ || context_.clock.now() < look_again_) return;
  if (!has_room_for_due()) return;  // it comes with the end of others
  loading_due_ = true;
  look_again_ = context_.clock.now() + kLookAgain;
  // Those that are in the window already are given, too.
  const ReadLimits limits{kDueCount, 2 * kWindowBytes};
  context_.store.open_deliveries(info_.id, WallTime::max(), limits,
                                 here<std::vector<OpenDelivery>>([this](auto due) {
                                   loading_due_ = false;
                                   on_due(std::move(due));
                                 }));
}

/// Something is on disk alone, and due at this time.
void Queue::forget_until(WallTime due) {
  const auto left = due - context_.clock.wall() - kNear / 2;
  const auto when = context_.clock.now() + std::chrono::duration_cast<nanoseconds>(left);
  look_again_ = std::exchange(forgotten_, true) ? std::min(look_again_, when) : when;
}

void Queue::on_due(Result<std::vector<OpenDelivery>> due) {
  if (!due) return;
  const auto near = context_.clock.wall() + kNear;
  bool all = due->size() < kDueCount && (due->empty() || !due->back().more);
  bool go_on = false;  // what is left can be taken as soon as there is room
  if (policy_.ordered) std::ranges::sort(*due, {}, &OpenDelivery::position);
  std::optional<WallTime> later;
  no_room_for_due_ = false;
  for (auto& one : *due) {
    if (entries_.contains(one.position) || changing_.contains(one.position) || !one.event) continue;
    if (!policy_.ordered && one.not_before > near) {
      later = one.not_before;
      break;
    }
    go_on = true;
    if (is_full()) {
      all = false;
      no_room_for_due_ = true;
      break;
    }
    Entry entry;
    entry.event = one.event;
    entry.attempts = one.attempts;
    entry.since = one.since;
    entry.has_row = true;
    entry.not_before = one.not_before;
    put(one.position, std::move(entry));
  }
  if (later || all)
    forgotten_ = false;
  else if (go_on)
    look_again_ = context_.clock.now();
  if (later) forget_until(*later);
  dispatch();
  load();
}

std::vector<DeliveryRecord> Queue::window(const DeliveryQuery& query) const {
  std::vector<DeliveryRecord> records;
  for (auto at = entries_.lower_bound(query.before);
       at != entries_.begin() && records.size() < query.limit;) {
    const auto& [position, entry] = *--at;
    const auto state = peek(position).value_or(State::queued);
    if (query.state && state != *query.state) continue;
    DeliveryRecord record;
    record.event = entry.event;
    record.id = id_of(position, entry.event->check);
    record.state = state;
    record.attempts = entry.attempts;
    record.not_before = std::max(entry.not_before, entry.event->accepted);
    records.push_back(std::move(record));
  }
  return records;
}

}  // namespace mayfly::events
