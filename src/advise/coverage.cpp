#include "advise/coverage.h"

#include <fmt/format.h>

#include <algorithm>

#include "advise/thresholds.h"
#include "advise/words.h"

namespace mayfly::advise {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;

void add(Bucket& sum, const Bucket& one) {
  sum.requests += one.requests;
  sum.failures += one.failures;
  sum.overdue += one.overdue;
  sum.deaths += one.deaths;
  sum.unattended += one.unattended;
  sum.starts += one.starts;
  sum.wall_s += one.wall_s;
  sum.waiting_s += one.waiting_s;
  sum.init_s += one.init_s;
  sum.cpu_s += one.cpu_s;
  sum.other_cpu_s += one.other_cpu_s;
  sum.gib_s += one.gib_s;
  sum.used_gib_s += one.used_gib_s;
  sum.bytes_in += one.bytes_in;
  sum.bytes_out += one.bytes_out;
}

/// How many were in flight, and for how long.
struct Level {
  double in_flight;
  double length_s;
};

/// The level that is not exceeded for `share` of all time. `levels` are sorted and cover `total_s` at most;
/// what they leave was idle.
double quantile(const std::vector<Level>& levels, double total_s, double share) {
  double covered = 0;
  for (const auto& level : levels) covered += level.length_s;
  double passed = std::max(0.0, total_s - covered);
  if (passed >= share * total_s) return 0;
  for (const auto& level : levels) {
    passed += level.length_s;
    if (passed >= share * total_s) return level.in_flight;
  }
  return levels.empty() ? 0 : levels.back().in_flight;
}

/// Seconds of `history` that fall between 22:00 and 06:00 there.
double night_s(const History& history) {
  constexpr seconds kDay{86'400};
  constexpr seconds kHours{8 * 3'600};
  const auto begin = history.begin + history.utc_offset;
  const auto end = history.end + history.utc_offset;
  const auto midnight = std::chrono::floor<std::chrono::days>(begin);
  seconds sum{0};
  for (sys_seconds night = midnight - seconds(2 * 3'600); night < end; night += kDay)
    sum += std::max(seconds(0), std::min(end, night + kHours) - std::max(begin, night));
  return static_cast<double>(sum.count());
}

bool has_weekend(const History& history) {
  const auto first = std::chrono::floor<std::chrono::days>(history.begin + history.utc_offset);
  const auto end = history.end + history.utc_offset;
  for (auto day = first; day < end && day < first + std::chrono::days(7); day += std::chrono::days(1)) {
    const std::chrono::weekday which{day};
    if (which == std::chrono::Saturday || which == std::chrono::Sunday) return true;
  }
  return false;
}

}  // namespace

double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

Totals totals_of(const History& history) {
  Totals totals;
  totals.sum.start = history.begin;
  totals.sum.length_s = static_cast<double>(std::max(seconds(0), history.end - history.begin).count());
  std::vector<Level> levels;
  for (const auto& bucket : history.buckets) {
    add(totals.sum, bucket);
    if (bucket.requests > 0) totals.busy_s += bucket.length_s;
    levels.push_back({ratio(bucket.wall_s, bucket.length_s), bucket.length_s});
  }
  std::ranges::sort(levels, {}, &Level::in_flight);
  totals.in_flight = ratio(totals.sum.wall_s, totals.sum.length_s);
  totals.in_flight_p10 = quantile(levels, totals.sum.length_s, 0.1);
  totals.in_flight_p99 = quantile(levels, totals.sum.length_s, 0.99);
  return totals;
}

Confidence confidence_of(const Totals& totals) {
  const auto requests = static_cast<double>(totals.sum.requests);
  if (totals.sum.length_s < kDay_s || requests < kMediumRequests) return Confidence::low;
  if (totals.sum.length_s < 7 * kDay_s || requests < kHighRequests) return Confidence::medium;
  return Confidence::high;
}

std::vector<std::string> unknown_of(const History& history, const Totals& totals) {
  std::vector<std::string> unknown;
  if (totals.sum.length_s < kDay_s)
    unknown.push_back(fmt::format("only {} of history", duration_in_words(totals.sum.length_s)));
  if (night_s(history) < kNight_s) unknown.emplace_back("no night in the history");
  if (!has_weekend(history)) unknown.emplace_back("no weekend in the history");
  if (static_cast<double>(totals.sum.requests) < kMediumRequests)
    unknown.push_back(fmt::format("only {} in the history", count_in_words(totals.sum.requests, "request")));
  if (history.shared)
    unknown.emplace_back("several requests share an instance: what each used is a fair share, not measured");
  return unknown;
}

}  // namespace mayfly::advise
