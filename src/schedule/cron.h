// The five fields of cron, without time zones: which minutes of local time they mean.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace mayfly::schedule {

/// Minute, hour, day of month, month, day of week, as Vixie's cron reads them (crontab(5)): `*`, numbers,
/// names of months and days (three letters), ranges, lists, and steps of `*` or of a range; 0 and 7 are
/// Sunday. A day matches if both of its fields match; if neither begins with `*`, one of them is enough.
class Cron {
 public:
  /// Five fields, or @hourly, @daily (@midnight), @weekly, @monthly, @yearly (@annually). bad_schedule: the
  /// message names the field and what it may be; or no date is ever like this (30 February).
  [[nodiscard]] static Result<Cron> parse(std::string_view text);

  /// The first minute that matches from `from` on. Nothing: not before the year 10000.
  [[nodiscard]] std::optional<std::chrono::local_seconds> next(std::chrono::local_seconds from) const;

  /// Minute or hour begin with `*`: meant as a rate rather than as times of day.
  [[nodiscard]] bool follows_clock() const { return follows_clock_; }

 private:
  [[nodiscard]] bool day_matches(std::chrono::year_month_day day, std::chrono::weekday weekday) const;
  [[nodiscard]] bool never() const;
  /// The first minute of a day that matches, from one on. Nothing: none.
  [[nodiscard]] std::optional<std::chrono::minutes> next_of_day(std::chrono::minutes from) const;

  // Bit n: the number n matches.
  std::uint64_t minutes_ = 0;
  std::uint64_t hours_ = 0;
  std::uint64_t days_ = 0;
  std::uint64_t months_ = 0;
  std::uint64_t weekdays_ = 0;  // 0: Sunday … 6
  bool either_day_ = false;     // one of the two fields of the day is enough
  bool follows_clock_ = false;
};

}  // namespace mayfly::schedule
