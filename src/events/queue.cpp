// Attempts: whose turn it is, and what their verdicts mean. The window is in queue_window.cpp, what people do
// to single deliveries in queue_manual.cpp.
#include "events/queue.h"

#include <algorithm>

#include "events/after.h"
#include "events/queue_here.h"

namespace mayfly::events {
namespace {

using std::chrono::milliseconds;

/// After an attempt that the function could not take: doubled as long as it cannot.
constexpr milliseconds kFirstHold{50};
constexpr milliseconds kLongestHold{5'000};
/// … where the queue's other events are for other functions: this one alone.
constexpr milliseconds kRoleHold{500};
/// What waits so long for others of its partition leaves the window, when that is wanted for others.
constexpr milliseconds kLongestTurn{2'000};
/// The store could not write what has become of deliveries: it is asked again.
constexpr milliseconds kWriteAgain{1'000};
/// For how long an attempt that was put off to the end of an event's age can be begun.
constexpr milliseconds kLastAttempt{60'000};
/// A timer never sleeps longer: the wall clock may be set meanwhile.
constexpr milliseconds kLongestSleep{60'000};
/// A queue that passes events without a word of any of them tells so after this many.
constexpr Position kCursorStep = 1'000;

std::size_t answer_bytes(const std::vector<Outcome>& outcomes) {
  std::size_t bytes = 0;
  for (const auto& one : outcomes)
    if (one.answer) bytes += one.answer->headers.size() + one.answer->body.size();
  return bytes;
}

}  // namespace

Queue::Queue(const QueueContext& context, const QueueInfo& info, std::string function)
    : context_(context),
      info_(info),
      function_(std::move(function)),
      paused_(info.paused),
      random_(std::random_device{}()) {
  (void)jumps_.is_doubtful(context_.clock);  // from now on it sees them
}

void Queue::set(const Policy& policy, Filter filter, std::shared_ptr<const QueueRole> role) {
  const bool other_order = policy.ordered != policy_.ordered;
  policy_ = policy;
  filter_ = std::move(filter);
  role_ = std::move(role);
  if (other_order) reorder();
  if (filter_) refilter();
  if (started_) dispatch();
}

void Queue::attach(bool attached) {
  attached_ = attached;
  if (started_) dispatch();
}

void Queue::pause(bool paused) {
  paused_ = paused;
  if (started_) dispatch();
}

void Queue::on_deadline() {
  const auto now = context_.clock.wall();
  std::vector<Position> due;  // first: the clock may be set back meanwhile, and they are delayed again
  for (const auto& [when, position] : delayed_) {
    if (when > now) break;
    due.push_back(position);
  }
  for (const auto position : due) {
    auto& entry = entries_.at(position);
    leave(position, entry);
    place(position, entry);
  }
  load_due();
  dispatch();
}

/// Wakes when the next thing can be done that nobody else tells of.
void Queue::rearm() {
  if (stopped_) return DeadlineEntry::cancel();
  const auto now = context_.clock.now();
  auto when = MonotonicTime::max();
  if (!delayed_.empty()) when = now + (delayed_.begin()->first - context_.clock.wall());
  if (forgotten_ && has_room_for_due()) when = std::min(when, look_again_);
  if (!ready_.empty()) {  // they grow old, also while nobody takes them
    const auto& oldest = entries_.at(*ready_.begin());
    const auto old = now + (end_of(oldest) - context_.clock.wall()) + milliseconds(1);
    when = std::min(when, std::max(old, jumps_.until()));
  }
  if (!ready_.empty() && attached_ && !paused_) {
    if (hold_until_ > now)
      when = std::min(when, hold_until_);
    else if (policy_.most_of_partition > 0 && is_half_full())
      when = std::min(when, now + kLongestTurn);
    else if (policy_.batch > 1 && may_begin())
      when = std::min(when, entries_.at(*ready_.begin()).ready_since + policy_.batch_wait);
  }
  if (when == MonotonicTime::max()) return DeadlineEntry::cancel();
  context_.deadlines.add(*this, std::clamp(when, now, now + kLongestSleep));
}

/// Whether there is anybody to deliver to, and what comes of it can be written down. Answers that cannot be
/// written are held in memory: no more of them than this, and no attempt while the disk is full.
bool Queue::may_begin() const {
  return attached_ && !paused_ && !stopped_ && unwritten_ == 0 && answer_bytes_ < kWindowBytes &&
         running_ < static_cast<std::size_t>(policy_.concurrency);
}

void Queue::dispatch() {
  give_up_old();
  const auto now = context_.clock.now();
  while (!ready_.empty() && hold_until_ <= now && may_begin()) {
    const auto batch = next_batch();
    if (batch.empty()) break;
    attempt(batch);
  }
  put_off();
  rearm();
}

/// Those whose turn it is; none if the batch is to become larger first.
std::vector<Position> Queue::next_batch() {
  if (policy_.most_of_partition > 0) return next_alone();
  const auto size = static_cast<std::size_t>(std::max(1, policy_.batch));
  const auto& first = entries_.at(*ready_.begin());
  if (ready_.size() < size && context_.clock.now() < first.ready_since + policy_.batch_wait) return {};
  std::vector<Position> batch;
  for (const auto position : ready_) {
    if (batch.size() == size) break;
    batch.push_back(position);
  }
  return batch;
}

/// The first whose partition may have one more.
std::vector<Position> Queue::next_alone() const {
  for (const auto position : ready_)
    if (!has_most(entries_.at(position).event->partition)) return {position};
  return {};
}

bool Queue::has_most(const std::string& partition) const {
  const auto running = running_of_.find(partition);
  return !partition.empty() && running != running_of_.end() && running->second >= policy_.most_of_partition;
}

/// A partition that goes on slowly does not keep the window from others: what of it has waited for long comes
/// back later, the newest first, until half of the window is left to it.
void Queue::put_off() {
  if (policy_.most_of_partition == 0 || !is_half_full() || stopped_) return;
  std::size_t count = ready_.size();
  std::size_t bytes = 0;
  for (const auto position : ready_) bytes += size_of(*entries_.at(position).event);
  std::vector<Outcome> outcomes;
  for (auto at = ready_.end(); at != ready_.begin() && is_half(count, bytes);) {
    const auto position = *--at;
    const auto& entry = entries_.at(position);
    if (!has_most(entry.event->partition) || context_.clock.now() < entry.ready_since + kLongestTurn)
      continue;
    outcomes.push_back(outcome(position, entry, entry.attempts > 0 ? State::failed : State::queued));
    outcomes.back().not_before += kNear + kLongestHold;
    --count;
    bytes -= size_of(*entry.event);
  }
  for (const auto& one : outcomes) leave(one.position, entries_.at(one.position));
  if (!outcomes.empty()) record(std::move(outcomes));
}

void Queue::attempt(const std::vector<Position>& batch) {
  Task task{info_.name, function_, {}, policy_.as_requests};
  const auto now = context_.clock.wall();
  for (const auto position : batch) {
    auto& entry = entries_.at(position);
    leave(position, entry);
    entry.place = Place::running;
    entry.started = now;
    ++entry.attempts;
    ++running_of_[entry.event->partition];
    task.items.push_back({entry.event, id_of(position, entry.event->check), entry.attempts});
  }
  ++running_;
  auto attempting = context_.deliverer.deliver(
      std::move(task), [weak = weak_from_this(), batch](std::vector<Verdict> verdicts) {
        if (const auto self = weak.lock()) self->on_verdicts(batch, std::move(verdicts));
      });
  for (const auto position : batch) entries_.at(position).attempting = attempting;
}

void Queue::on_verdicts(const std::vector<Position>& batch, std::vector<Verdict> verdicts) {
  --running_;
  verdicts.resize(batch.size(),
                  Verdict{Verdict::Kind::failed, {}, {}, "events:no-verdict", "no verdict", {}});
  std::vector<Outcome> outcomes;
  bool held = false;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    auto& entry = entries_.at(batch[i]);
    entry.attempting.reset();
    const auto running = running_of_.find(entry.event->partition);
    if (--running->second == 0) running_of_.erase(running);
    if (verdicts[i].kind == Verdict::Kind::not_tried && !entry.cancelled) {
      --entry.attempts;
      if (role_) {  // other events of it are for other functions
        outcomes.push_back(outcome(batch[i], entry, State::failed));
        outcomes.back().not_before += is_half_full() ? kNear + kLongestHold : kRoleHold;
        continue;
      }
      held = true;
      place(batch[i], entry);
      continue;
    }
    outcomes.push_back(judge(batch[i], entry, verdicts[i]));
  }
  hold_ = held ? std::clamp(hold_ * 2, kFirstHold, kLongestHold) : milliseconds(0);
  hold_until_ = context_.clock.now() + hold_;
  if (!outcomes.empty()) record(std::move(outcomes));
  dispatch();
}

Outcome Queue::outcome(Position position, const Entry& entry, State state) const {
  Outcome outcome;
  outcome.queue = info_.id;
  outcome.stream = info_.stream;
  outcome.position = position;
  outcome.state = state;
  outcome.attempts = entry.attempts;
  outcome.since = entry.since;
  outcome.at = context_.clock.wall();
  outcome.not_before = outcome.at;
  if (is_final(state))
    outcome.expires = outcome.at + (state == State::dead ? policy_.keep_dead : policy_.keep_result);
  return outcome;
}

/// When it is too old. Whose next attempt is at the end of its age has a moment more, to be begun in.
WallTime Queue::end_of(const Entry& entry) const {
  const auto end = entry.since + max_age_of(entry);
  return entry.has_row && entry.not_before >= end ? entry.not_before + kLastAttempt : end;
}

Policy Queue::policy_of(const Event& event) const { return role_ ? role_->policy(event, policy_) : policy_; }

/// What its end means for the larger thing that a delivery is a part of, or for who wants to be called back.
void Queue::decide(const EventPtr& event, Outcome& outcome) const {
  if (!is_final(outcome.state)) return;
  const auto id = id_of(outcome.position, event->check);
  if (role_)
    outcome.decision = role_->decision(event, id, outcome);
  else if (context_.callbacks != nullptr && !event->callback.empty())
    outcome.decision = context_.callbacks->decision(function_, event, id, outcome);
}

/// What an attempt's end means for its delivery.
Outcome Queue::judge(Position position, Entry& entry, Verdict& verdict) {
  const bool succeeded = verdict.kind == Verdict::Kind::succeeded;
  const auto now = context_.clock.wall();
  const auto policy = policy_of(*entry.event);
  // A delay that is longer than it may wait ends with that time: the last attempt is then.
  const auto left = jumps_.is_doubtful(context_.clock)
                        ? policy.max_age
                        : std::chrono::ceil<milliseconds>(entry.since + policy.max_age - now);
  const auto delay = std::min(left, verdict.delay.value_or(backoff_delay(policy, entry.attempts, random_)));
  const bool over =
      verdict.kind == Verdict::Kind::hopeless || entry.attempts >= policy.attempts || left <= milliseconds(0);
  State state = State::failed;
  if (succeeded)
    state = State::succeeded;
  else if (entry.cancelled)
    state = State::cancelled;
  else if (over)
    state = State::dead;
  auto result = outcome(position, entry, state);
  if (state == State::failed) result.not_before = now + delay;
  result.attempt = Attempt{entry.attempts,
                           entry.started,
                           now,
                           std::move(verdict.version),
                           std::move(verdict.type),
                           std::move(verdict.message)};
  result.answer = std::move(verdict.answer);
  return result;
}

/// Those that have become too old without being attempted once more.
void Queue::give_up_old() {
  if (jumps_.is_doubtful(context_.clock)) return;
  const auto now = context_.clock.wall();
  std::vector<Position> old;
  for (const auto position : ready_) {  // in the order of acceptance, but for what people have begun again
    const auto& entry = entries_.at(position);
    if (end_of(entry) < now)
      old.push_back(position);
    else if (!entry.has_row && !role_)
      break;
  }
  if (old.empty() || stopped_) return;
  std::vector<Outcome> outcomes;
  for (const auto position : old) {
    auto& entry = entries_.at(position);
    leave(position, entry);
    outcomes.push_back(outcome(position, entry, State::dead));
    outcomes.back().attempt =
        Attempt{entry.attempts + 1, now, now, {}, "events:too-old", "it waited too long"};
  }
  record(std::move(outcomes));
}

/// Writes down what has become of deliveries, again and again until it is written.
void Queue::record(std::vector<Outcome> outcomes) {
  for (auto& one : outcomes) {
    auto& entry = entries_.at(one.position);
    entry.place = Place::recording;
    decide(entry.event, one);
  }
  ++recording_;
  answer_bytes_ += answer_bytes(outcomes);
  write(std::make_shared<std::vector<Outcome>>(std::move(outcomes)), false);
}

void Queue::write(std::shared_ptr<std::vector<Outcome>> outcomes, bool again) {
  auto copy = *outcomes;
  const auto at = cursor(*outcomes);
  told_ = std::max(told_, at);
  context_.store.record(std::move(copy), {{info_.id, at}},
                        here<std::vector<EventPtr>>([this, outcomes, again](auto result) {
                          if (result) {
                            --recording_;
                            if (again) --unwritten_;
                            answer_bytes_ -= answer_bytes(*outcomes);
                            if (follow_up && !result->empty()) follow_up(*result);
                            return on_recorded(*outcomes);
                          }
                          if (!again) ++unwritten_;
                          after(context_.executor, kWriteAgain, [weak = weak_from_this(), outcomes] {
                            if (const auto self = weak.lock()) self->write(outcomes, true);
                          });
                        }));
}

void Queue::on_recorded(const std::vector<Outcome>& outcomes) {
  for (const auto& one : outcomes) settle(one);
  load_due();  // there may be room now
  load();
  dispatch();
}

/// Where hardly anything of a stream is for this queue, hardly anything is written. So that what it has
/// passed can go, and is not read again after a start, the store is told now and then.
void Queue::tell_cursor() {
  if (recording_ > 0 || stopped_ || loaded_ < told_ + kCursorStep) return;
  const auto at = cursor({});
  if (at < told_ + kCursorStep) return;
  const auto before = std::exchange(told_, at);
  ++recording_;
  context_.store.record({}, {{info_.id, at}}, here<std::vector<EventPtr>>([this, before](const auto& result) {
                          --recording_;
                          if (!result) told_ = before;
                        }));
}

void Queue::count(State state) {
  if (state == State::succeeded) ++figures_.succeeded;
  if (state == State::failed) ++figures_.failed;
  if (state == State::dead) ++figures_.dead;
  if (state == State::cancelled) ++figures_.cancelled;
}

/// An outcome is on disk: what it means for the window.
void Queue::settle(const Outcome& outcome) {
  const auto found = entries_.find(outcome.position);
  if (found == entries_.end()) return;
  auto& entry = found->second;
  const auto check = entry.event->check;
  count(outcome.state);
  without_row_.erase(outcome.position);
  count_row(entry.has_row, !is_final(outcome.state));
  entry.has_row = true;
  const auto waiting = std::exchange(entry.waiting, {});
  for (const auto& then : std::exchange(entry.again, {})) then(outcome.state);
  if (is_final(outcome.state)) {
    remove(found);
    for (const auto& then : waiting) then(outcome.state);
    return;
  }
  entry.not_before = outcome.not_before;
  if (!policy_.ordered && entry.not_before > context_.clock.wall() + kNear) {
    forget_until(entry.not_before);
    remove(found);
    for (const auto& then : waiting) cancel({info_.stream, outcome.position, info_.id, check}, then);
    return;
  }
  place(outcome.position, entry);
  for (const auto& then : waiting)  // it came while the failure was written
    cancel({info_.stream, outcome.position, info_.id, check}, then);
}

QueueFigures Queue::figures() const {
  auto figures = figures_;
  figures.backlog = newest_ - std::min(newest_, loaded_);
  figures.running = running_;
  figures.waiting = ready_.size() + delayed_.size();
  if (policy_.ordered)
    figures.waiting = static_cast<std::size_t>(
        std::ranges::count_if(entries_, [](const auto& one) { return one.second.place < Place::running; }));
  return figures;
}

std::optional<State> Queue::peek(Position position) const {
  const auto found = entries_.find(position);
  if (found == entries_.end()) {
    if (position > loaded_ && !rows_ahead_.contains(position)) return State::queued;
    return std::nullopt;
  }
  if (found->second.place == Place::running || found->second.place == Place::recording) return State::running;
  return found->second.attempts > 0 ? State::failed : State::queued;
}

}  // namespace mayfly::events
