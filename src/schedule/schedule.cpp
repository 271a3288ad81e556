#include "schedule/schedule.h"

#include <algorithm>
#include <string>

#include "base/date_time.h"
#include "base/text.h"
#include "schedule/error.h"

namespace mayfly::schedule {
namespace {

using namespace std::chrono_literals;
using std::chrono::local_seconds;
using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::sys_seconds;

constexpr sys_seconds kFirst = sys_days(1900y / 1 / 1);  // nothing is asked for before it
constexpr sys_seconds kEnd = sys_days(std::chrono::year(10'000) / 1 / 1);

local_seconds local(sys_seconds time, seconds offset) {
  return local_seconds(time.time_since_epoch() + offset);
}
sys_seconds global(local_seconds time, seconds offset) {
  return sys_seconds(time.time_since_epoch() - offset);
}

/// When it is that local time: the first time of two, and for one that does not exist the moment after which
/// the clock would show it.
sys_seconds to_global(const Zone& zone, local_seconds time) {
  // No offset is more than a day, so this begins before the time and at most a few changes of the clock
  // ahead.
  auto period = zone.period_at(global(time, 24h));
  while (true) {
    if (global(time, period.offset) < period.end) return std::max(global(time, period.offset), period.begin);
    period = zone.period_at(period.end);
  }
}

}  // namespace

Result<Schedule> Schedule::parse(std::string_view text, std::string_view zone_name) {
  const auto zone = Zone::find(zone_name);
  if (!zone) return std::unexpected(zone.error());
  const auto kind = parse_kind(text, *zone);
  if (!kind) return std::unexpected(kind.error());
  return Schedule(*kind, *zone);
}

Result<Schedule::Kind> Schedule::parse_kind(std::string_view text, const Zone& zone) {
  constexpr std::string_view kEvery = "every ";
  constexpr std::string_view kAt = "at ";
  if (text.starts_with(kAt)) return parse_once(text.substr(kAt.size()), zone);
  if (text.starts_with(kEvery)) {
    const auto period = parse_duration(text.substr(kEvery.size()));
    if (!period || *period < 1s || *period > std::chrono::days(366) || *period % 1s != 0ms)
      return fail(ScheduleErrc::bad_schedule, "'" + std::string(text.substr(0, 80)) +
                                                  "' needs a time from 1s to 366d, like \"every 15m\"");
    return Rate{std::chrono::duration_cast<seconds>(*period)};
  }
  const auto cron = Cron::parse(text);
  if (!cron) return std::unexpected(cron.error());
  return *cron;
}

Result<Schedule::Kind> Schedule::parse_once(std::string_view text, const Zone& zone) {
  const auto time = parse_date_time(text);
  if (!time)
    return fail(ScheduleErrc::bad_schedule, "'" + std::string(text.substr(0, 80)) +
                                                "' is no date with a time, like 2030-01-01T10:00:00Z");
  return Once{time->time().value_or(to_global(zone, time->local))};
}

std::optional<sys_seconds> Schedule::next_after(std::chrono::sys_time<std::chrono::milliseconds> time) const {
  // What is later than a time is later than its second, too: schedules have whole seconds.
  const auto after = std::max(std::chrono::floor<seconds>(time), kFirst);
  if (after >= kEnd) return std::nullopt;
  if (const auto* once = std::get_if<Once>(&kind_))
    return once->time > after ? std::optional(once->time) : std::nullopt;
  if (const auto* rate = std::get_if<Rate>(&kind_)) {
    const auto since = after.time_since_epoch();
    const auto into = (since % rate->period + rate->period) % rate->period;  // also before 1970
    return after - into + rate->period;
  }
  return next_of_cron(std::get<Cron>(kind_), after);
}

std::optional<sys_seconds> Schedule::next_of_cron(const Cron& cron, sys_seconds after) const {
  auto period = zone_.period_at(after);
  auto from = local(after, period.offset) + 1s;
  // What the clock showed before it was put back at this period's begin is there a second time until then.
  auto repeated_until = local(period.begin, zone_.period_at(period.begin - 1s).offset);
  while (true) {
    const bool again = !cron.follows_clock() && from < repeated_until;
    const auto found = cron.next(again ? repeated_until : from);
    if (!found) return std::nullopt;
    if (global(*found, period.offset) < period.end) return global(*found, period.offset);
    const auto next = zone_.period_at(period.end);
    // Local times from `shown` until `from` do not exist: the clock is put forward over them.
    const auto shown = local(period.end, period.offset);
    from = local(next.begin, next.offset);
    if (*found >= shown && *found < from) return next.begin;
    repeated_until = shown;
    period = next;
  }
}

}  // namespace mayfly::schedule
