// What can be wrong with a schedule.
#pragma once

#include "base/result.h"

namespace mayfly::schedule {

enum class ScheduleErrc {
  bad_schedule = 1,  ///< no schedule, one that never comes, or an unknown time zone; the message says which
};
[[nodiscard]] std::error_code make_error_code(ScheduleErrc code);

}  // namespace mayfly::schedule

template <>
struct std::is_error_code_enum<mayfly::schedule::ScheduleErrc> : std::true_type {};
