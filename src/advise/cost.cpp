#include "advise/cost.h"

#include <algorithm>
#include <cmath>

#include "advise/thresholds.h"

namespace mayfly::advise {

double instance_gib(const History& history) {
  return history.instance_gib.value_or(history.configuration.memory_gib);
}

double per_request_cost(const Totals& totals, const Prices& prices) {
  const auto& sum = totals.sum;
  return static_cast<double>(sum.requests) * prices.request + sum.gib_s * prices.gib_s +
         sum.cpu_s * prices.cpu_s;
}

double background_cost(const Totals& totals, const Prices& prices) {
  return (totals.sum.cpu_s + totals.sum.other_cpu_s) * prices.background_cpu_s +
         totals.sum.used_gib_s * prices.background_gib_s;
}

double idle_cost(const History& history, const Totals& totals, const Prices& prices, double instances) {
  const double kept_s = instances * totals.sum.length_s;
  const double busy_s = totals.sum.wall_s / history.configuration.concurrency;
  return std::max(0.0, kept_s - busy_s) * instance_gib(history) * prices.kept_gib_s;
}

double service_cost(const History& history, const Totals& totals, const Prices& prices, double processes) {
  return processes * totals.sum.length_s * instance_gib(history) * prices.kept_gib_s +
         totals.sum.cpu_s * prices.background_cpu_s;
}

double cost_now(const History& history, const Totals& totals, const Prices& prices) {
  const double used =
      history.configuration.background ? background_cost(totals, prices) : per_request_cost(totals, prices);
  return used + idle_cost(history, totals, prices, history.configuration.min_instances);
}

double processes_needed(const History& history, const Totals& totals) {
  // 4.0000001 are 4: sums of many terms are not exact.
  const auto whole = [](double number) { return std::ceil(number - 1e-6); };
  const double at_once = history.configuration.concurrency;
  const double cores = ratio(totals.sum.cpu_s, totals.sum.length_s);
  return std::max({1.0, whole(totals.in_flight / kProcessBusy / at_once),
                   whole(totals.in_flight_p99 / at_once), whole(cores / kProcessBusy)});
}

}  // namespace mayfly::advise
