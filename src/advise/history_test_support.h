// Histories that a test makes up.
#pragma once

#include <algorithm>
#include <string_view>

#include "advise/advise.h"

namespace mayfly::advise {

inline constexpr std::chrono::sys_seconds kMonday{std::chrono::sys_days{std::chrono::January / 7 / 2030}};

/// As public clouds charge: some 0.06 for a GiB of memory in use for an hour, a quarter of it if it is held
/// anyway.
inline Prices test_prices() {
  return {.currency = "EUR",
          .request = 2e-7,
          .gib_s = 1.6e-5,
          .cpu_s = 0,
          .background_cpu_s = 4e-6,
          .background_gib_s = 0,
          .kept_gib_s = 4e-6};
}

/// `hours` equal hours, each with what `hour` has.
inline History hours_of(int hours, Bucket hour) {
  History history{.function = "hello", .begin = kMonday, .end = kMonday + std::chrono::hours(hours)};
  hour.length_s = 3'600;
  history.calls_known = true;
  for (int i = 0; i < hours; ++i) {
    hour.start = kMonday + std::chrono::hours(i);
    history.buckets.push_back(hour);
  }
  return history;
}

/// One hour of a function of which nothing is to be said: 100 requests of 50 ms.
inline Bucket quiet_hour() {
  return {.requests = 100, .starts = 1, .wall_s = 5, .init_s = 0.005, .cpu_s = 1, .gib_s = 0.25};
}

inline const Finding* find(const std::vector<Finding>& findings, std::string_view rule) {
  const auto found = std::ranges::find(findings, rule, &Finding::rule);
  return found == findings.end() ? nullptr : &*found;
}

}  // namespace mayfly::advise
