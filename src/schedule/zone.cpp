#include "schedule/zone.h"

#include <date/tz.h>

#include <algorithm>
#include <vector>

#include "base/text.h"
#include "schedule/error.h"

namespace mayfly::schedule {
namespace {

std::unexpected<Error> unknown(std::string_view name) {
  std::vector<std::string_view> names;
  const auto& all = date::get_tzdb();
  for (const auto& zone : all.zones) names.push_back(zone.name());
  return fail(ScheduleErrc::bad_schedule, "there is no time zone '" + std::string(name.substr(0, 80)) + "'" +
                                              did_you_mean(name.substr(0, 80), names));
}

}  // namespace

Result<Zone> Zone::find(std::string_view name) {
  Zone found;
  if (name == "UTC") return found;
  // The library tells by exceptions that it has no such zone, and that it has none at all.
  try {
    const auto& zones = date::get_tzdb().zones;
    const auto zone =
        std::ranges::find(zones, name, [](const auto& each) { return std::string_view(each.name()); });
    if (zone == zones.end()) return unknown(name);
    zone->get_info(date::sys_seconds{});  // reads its file
    found.zone_ = &*zone;
    return found;
  } catch (const std::exception& error) {
    return fail(ScheduleErrc::bad_schedule,
                std::string("time zones cannot be read on this machine: ") + error.what());
  }
}

Period Zone::period_at(std::chrono::sys_seconds time) const {
  using std::chrono::sys_days;
  using namespace std::chrono_literals;
  if (zone_ == nullptr)
    return {sys_days(std::chrono::year::min() / 1 / 1), sys_days(std::chrono::year::max() / 12 / 31), 0s};
  const auto info = zone_->get_info(time);
  return {info.begin, info.end, info.offset};
}

}  // namespace mayfly::schedule
