#include "schedule/error.h"

namespace mayfly::schedule {

std::error_code make_error_code(ScheduleErrc code) {
  static const SlugCategory<ScheduleErrc, 1> category("schedule", {"bad-schedule"});
  return {static_cast<int>(code), category};
}

}  // namespace mayfly::schedule
