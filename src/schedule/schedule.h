// When a schedule's times are.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "schedule/cron.h"
#include "schedule/zone.h"

namespace mayfly::schedule {

/// A schedule in its time zone. Immutable; safe on any thread.
///
/// Where clocks change, cron's times follow these rules (docs/events.md says them to users):
/// - Times that do not exist, because the clock is put forward over them, are made up for: once for all of
/// one
///   change, at the moment of the change.
/// - Times that exist twice, because the clock is put back, count once, the first time; but if the minute or
/// the
///   hour begins with `*`, each time.
class Schedule {
 public:
  /// The five fields of cron or a form like @daily (cron.h); "every 15m": each multiple of that time since
  /// 1970-01-01T00:00:00Z, whole seconds from 1 s to 366 days; "at 2030-01-01T10:00:00Z": once, with an
  /// offset or as local time of the zone. Error bad_schedule; its message says what is wrong.
  [[nodiscard]] static Result<Schedule> parse(std::string_view text, std::string_view zone = "UTC");

  /// The first of its times that is later than `time`. Nothing: there is none, or none before the year 10000.
  [[nodiscard]] std::optional<std::chrono::sys_seconds> next_after(
      std::chrono::sys_time<std::chrono::milliseconds> time) const;

 private:
  struct Rate {
    std::chrono::seconds period;
  };
  struct Once {
    std::chrono::sys_seconds time;
  };
  using Kind = std::variant<Cron, Rate, Once>;

  Schedule(Kind kind, Zone zone) : kind_(kind), zone_(zone) {}
  [[nodiscard]] static Result<Kind> parse_kind(std::string_view text, const Zone& zone);
  [[nodiscard]] static Result<Kind> parse_once(std::string_view text, const Zone& zone);
  [[nodiscard]] std::optional<std::chrono::sys_seconds> next_of_cron(const Cron& cron,
                                                                     std::chrono::sys_seconds after) const;

  Kind kind_;
  Zone zone_;
};

}  // namespace mayfly::schedule
