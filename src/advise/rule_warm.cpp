#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "advise/cost.h"
#include "advise/rules.h"
#include "advise/thresholds.h"
#include "advise/words.h"

namespace mayfly::advise {
namespace {

double requests_per_hour(const Totals& totals) {
  return ratio(static_cast<double>(totals.sum.requests), totals.sum.length_s / 3'600);
}

double start_s(const Totals& totals) {
  return ratio(totals.sum.init_s, static_cast<double>(totals.sum.starts));
}

}  // namespace

std::optional<Finding> cold_starts(const Case& of) {
  const auto& totals = of.totals;
  const auto& configuration = of.history.configuration;
  const auto requests = static_cast<double>(totals.sum.requests);
  const auto starts = static_cast<double>(totals.sum.starts);
  if (configuration.background || totals.sum.length_s < kShortHistory_s) return std::nullopt;
  if (starts < kFewEvents || starts < kStartShare * requests) return std::nullopt;
  if (start_s(totals) < kStart_s || requests_per_hour(totals) < kRequestsPerHour) return std::nullopt;
  const double busy = ratio(totals.sum.wall_s, totals.busy_s) / configuration.concurrency;
  const int warm = std::clamp(static_cast<int>(std::ceil(busy - 1e-6)), 1, configuration.max_instances);
  if (warm <= configuration.min_instances) return std::nullopt;

  auto finding = finding_of(of, "cold-starts", Form::warm);
  finding.cost_then = per_request_cost(totals, of.prices) + idle_cost(of.history, totals, of.prices, warm);
  finding.figures = {{"starts", starts},
                     {"start_share", starts / requests},
                     {"start_mean_s", start_s(totals)},
                     {"requests_per_hour", requests_per_hour(totals)},
                     {"min_instances", warm}};
  finding.summary = fmt::format(
      "{} of its requests met a start of {}: min_instances = {} keeps as many warm as were busy while there "
      "were "
      "requests",
      share_in_words(starts / requests), duration_in_words(start_s(totals)), warm);
  finding.reason = fmt::format(
      "at least {} starts, {} of all requests, of {} or more; and a request an hour, or keeping costs more "
      "than it "
      "is worth",
      number_in_words(kFewEvents), share_in_words(kStartShare), duration_in_words(kStart_s));
  finding.unknown.emplace_back(
      "what a caller's time is worth: a warm instance costs more and answers sooner");
  finding.change = Change{"min_instances", std::to_string(warm)};
  return finding;
}

std::optional<Finding> kept_for_nothing(const Case& of) {
  const auto& totals = of.totals;
  const int kept = of.history.configuration.min_instances;
  if (kept == 0 || totals.sum.length_s < kShortHistory_s) return std::nullopt;
  const double use =
      ratio(totals.sum.wall_s, kept * totals.sum.length_s) / of.history.configuration.concurrency;
  if (use >= kKeptUse) return std::nullopt;
  const bool rare = requests_per_hour(totals) < kRequestsPerHour;
  const bool short_starts =
      static_cast<double>(totals.sum.starts) >= kFewEvents && start_s(totals) < kShortStart_s;
  if (!rare && !short_starts) return std::nullopt;

  auto finding = finding_of(of, "kept-for-nothing", Form::per_request);
  finding.cost_then = *finding.cost_now - idle_cost(of.history, totals, of.prices, kept);
  finding.figures = {{"min_instances", kept},
                     {"use_share", use},
                     {"requests_per_hour", requests_per_hour(totals)},
                     {"start_mean_s", start_s(totals)}};
  finding.summary =
      fmt::format("what min_instances = {} keeps warm was busy {} of the time, {}: per request is enough",
                  kept, share_in_words(use),
                  rare ? number_in_words(requests_per_hour(totals)) + " requests an hour"
                       : "and a start takes only " + duration_in_words(start_s(totals)));
  finding.reason = fmt::format(
      "kept instances are busy less than {} of the time, and there is less than a request an hour, or a "
      "start takes "
      "less than {}",
      share_in_words(kKeptUse), duration_in_words(kShortStart_s));
  if (totals.sum.starts == 0) finding.unknown.emplace_back("how long a start takes: there was none");
  finding.change = Change{"min_instances", "0"};
  return finding;
}

}  // namespace mayfly::advise
