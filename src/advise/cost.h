// What a function has cost, and what it would have cost in another form.
#pragma once

#include "advise/coverage.h"
#include "advise/history.h"

namespace mayfly::advise {

/// Memory of one instance: as measured, else the limit.
[[nodiscard]] double instance_gib(const History& history);

/// As a function that is paid by request and time, without what keeps instances warm.
[[nodiscard]] double per_request_cost(const Totals& totals, const Prices& prices);
/// By what it consumed alone, whatever for.
[[nodiscard]] double background_cost(const Totals& totals, const Prices& prices);
/// `instances` that are held always: the time in which they are idle.
[[nodiscard]] double idle_cost(const History& history, const Totals& totals, const Prices& prices,
                               double instances);
/// `processes` that run always: their memory, and the same CPU at the price of work in the background, which
/// as a service's is paid by consumption.
[[nodiscard]] double service_cost(const History& history, const Totals& totals, const Prices& prices,
                                  double processes);
/// As it is configured.
[[nodiscard]] double cost_now(const History& history, const Totals& totals, const Prices& prices);

/// How many processes of a service the load needs: busy kProcessBusy of the time in the mean, enough for the
/// hundredth of the time that is busiest, each with a core at most and as many requests at once as an
/// instance.
[[nodiscard]] double processes_needed(const History& history, const Totals& totals);

}  // namespace mayfly::advise
