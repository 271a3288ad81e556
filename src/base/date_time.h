// Dates with a time as text: RFC 3339.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace mayfly {

struct DateTime {
  std::chrono::local_seconds local;     ///< as it is written; a leap second counts as the next minute's
  std::chrono::nanoseconds fraction{};  ///< of a second; further digits are cut off
  std::optional<std::chrono::minutes> offset;  ///< of the local time from UTC; none: it is not said

  /// When that is, if the offset is known.
  [[nodiscard]] std::optional<std::chrono::sys_seconds> time() const {
    if (!offset) return std::nullopt;
    return std::chrono::sys_seconds(local.time_since_epoch() - *offset);
  }
};

/// "2024-05-01T12:00:00.5+02:00", "2024-05-01t12:00:00z", or without the offset: the rule `date-time` of RFC
/// 3339 (section 5.6) with an optional `time-offset`. Only days that are in the calendar; 23:59:60 may be
/// written.
[[nodiscard]] std::optional<DateTime> parse_date_time(std::string_view text);

}  // namespace mayfly
