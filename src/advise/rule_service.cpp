#include <fmt/format.h>

#include "advise/cost.h"
#include "advise/rules.h"
#include "advise/thresholds.h"
#include "advise/words.h"

namespace mayfly::advise {

std::optional<Finding> steady_load(const Case& of) {
  const auto& totals = of.totals;
  if (totals.sum.length_s < kShortHistory_s || totals.in_flight < kSteadyInFlight) return std::nullopt;
  if (totals.in_flight_p10 < kSteadyLow * totals.in_flight) return std::nullopt;
  auto finding = finding_of(of, "steady-load", Form::service);
  const double processes = processes_needed(of.history, totals);
  finding.cost_then = service_cost(of.history, totals, of.prices, processes);
  if (*finding.cost_now <= 0 || *finding.cost_then > kServiceCostsAtMost * *finding.cost_now)
    return std::nullopt;
  finding.figures = {{"in_flight_mean", totals.in_flight},
                     {"in_flight_p10", totals.in_flight_p10},
                     {"in_flight_p99", totals.in_flight_p99},
                     {"processes", processes},
                     {"instance_gib", instance_gib(of.history)}};
  finding.summary = fmt::format("{} requests always in flight for {}: a service of {} would cost {} as much",
                                number_in_words(totals.in_flight), duration_in_words(totals.sum.length_s),
                                count_in_words(static_cast<std::uint64_t>(processes), "process"),
                                share_in_words(*finding.cost_then / *finding.cost_now));
  finding.reason = fmt::format(
      "at least {} in flight in the mean, at least {} of that in nine tenths of the time, and a service "
      "costs at "
      "most {}; its processes are busy {} of the time",
      number_in_words(kSteadyInFlight), share_in_words(kSteadyLow), share_in_words(kServiceCostsAtMost),
      share_in_words(kProcessBusy));
  finding.unknown.push_back(
      of.history.configuration.concurrency == 1
          ? "whether one process of a service could answer several requests at once: reckoned with one"
          : fmt::format(
                "whether one process of a service could answer {} requests at once, as an instance may",
                of.history.configuration.concurrency));
  if (!of.history.instance_gib)
    finding.unknown.emplace_back("the memory of an instance: reckoned with its limit");
  return finding;
}

}  // namespace mayfly::advise
