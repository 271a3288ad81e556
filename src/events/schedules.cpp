#include "events/schedules.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/fields.h"
#include "base/text.h"

namespace mayfly::events {
namespace {

using std::chrono::milliseconds;

/// The wall clock may be set while a timer sleeps.
constexpr milliseconds kLongestSleep{30'000};
/// Times that are later than now by more than this were done when the clock was wrong.
constexpr std::chrono::hours kClockBack{1};
/// The store did not take it.
constexpr milliseconds kFireAgain{1'000};

/// Up to when its times have passed without an event. Apart from those that it ran at, which people see.
std::string passed_mark(const std::string& name) { return "passed:" + name; }

WallTime from_millis(std::int64_t millis) { return WallTime{} + milliseconds(millis); }

}  // namespace

void Schedules::set(const std::string& function, const ScheduleSpec& spec, StreamId stream, bool paused) {
  auto& slot = all_[spec.name(function)];
  const bool fresh = !slot;
  if (fresh) slot = std::make_unique<One>();
  auto& one = *slot;
  one.owner = this;
  one.name = spec.name(function);
  one.function = function;
  one.spec = spec;
  one.stream = stream;
  one.paused = paused;
  if (fresh) {
    one.last = std::max(done(one.name), done(passed_mark(one.name)));
    if (one.last < spec.since) pass(one, spec.since);
  }
  doubt_future(one);
  one.next = one.spec.next(one.last);
  const auto now = clock_.wall();
  if (fresh && !one.spec.run_missed && one.next && *one.next <= now) {
    one.last = now;
    one.next = one.spec.next(now);
  }
  arm(one);
}

WallTime Schedules::done(const std::string& mark) const {
  const auto found = marks_.find(mark);
  return found == marks_.end() ? WallTime{} : from_millis(found->second);
}

/// Its times up to then are not run any more, also after the next start.
void Schedules::pass(One& one, WallTime until) {
  one.last = until;
  const auto mark = passed_mark(one.name);
  marks_[mark] = to_millis(until);
  remember_({mark, to_millis(until)});
}

/// The clock was put forward, and back again: what was done then is no reason not to run for years.
void Schedules::doubt_future(One& one) const {
  const auto now = clock_.wall();
  if (one.last <= now + kClockBack) return;
  spdlog::warn("the {} has run at {}, which is not yet: its times count from now on", one.name,
               timestamp(one.last));
  one.last = now;
  one.next = one.spec.next(now);
}

void Schedules::arm(One& one) {
  if (!one.next || firing_.contains(one.name)) return one.cancel();
  const auto left = std::clamp<nanoseconds>(*one.next - clock_.wall(), nanoseconds(0), kLongestSleep);
  deadlines_.add(one, clock_.now() + left);
}

NewEvent Schedules::event(const One& one, WallTime time) const {
  NewEvent event;
  event.stream = one.stream;
  event.form = Form::schedule;
  for (const auto& [name, value] : {std::pair<std::string, std::string>{"schedule", one.spec.text},
                                    {"timezone", one.spec.timezone},
                                    {"time", std::to_string(to_millis(time))}})
    append_field(event.fields, name, value);
  event.body = one.spec.payload;
  return event;
}

void Schedules::fire(One& one) {
  const auto now = clock_.wall();
  if (firing_.contains(one.name) || !one.next) return;
  doubt_future(one);
  if (*one.next > now) return arm(one);
  if (one.paused) {  // its times pass
    pass(one, now);
    one.next = one.spec.next(now);
    return arm(one);
  }
  firing_.insert(one.name);
  auto fired = event(one, *one.next);
  // However many times have passed, this is for all of them.
  fired.mark = Mark{one.name, to_millis(now), to_millis(now + kClockBack)};
  append_(std::move(fired),
          [this, name = one.name, now](const auto& result) { on_fired(name, now, result.has_value()); });
}

void Schedules::on_fired(const std::string& name, WallTime done, bool accepted) {
  firing_.erase(name);
  if (accepted) marks_[name] = to_millis(done);
  const auto found = all_.find(name);
  if (found == all_.end()) return;
  auto& one = *found->second;
  if (!accepted) return deadlines_.add(one, clock_.now() + kFireAgain);
  one.last = done;
  one.next = one.spec.next(done);
  arm(one);
}

void Schedules::pause(const std::string& name, bool paused) {
  const auto found = all_.find(name);
  if (found != all_.end()) found->second->paused = paused;
}

bool Schedules::run(const std::string& name, const Then<std::vector<Accepted>>& then) {
  const auto found = all_.find(name);
  if (found == all_.end()) return false;
  append_(event(*found->second, clock_.wall()), then);
  return true;
}

std::vector<ScheduleView> Schedules::list() const {
  std::vector<ScheduleView> views;
  for (const auto& [name, one] : all_) {
    ScheduleView view{name, one->function, one->spec.text, one->spec.timezone, one->next, {}, one->paused};
    if (const auto mark = marks_.find(name); mark != marks_.end()) view.last = from_millis(mark->second);
    views.push_back(std::move(view));
  }
  return views;
}

}  // namespace mayfly::events
