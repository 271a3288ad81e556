// What a history amounts to, and what it cannot tell.
#pragma once

#include <string>
#include <vector>

#include "advise/finding.h"
#include "advise/history.h"

namespace mayfly::advise {

/// All buckets together, and how the load is spread over time.
struct Totals {
  Bucket sum;                ///< its start and length are those of the history
  double busy_s = 0;         ///< length of the buckets that have requests
  double in_flight = 0;      ///< requests at once, the mean over the whole history
  double in_flight_p10 = 0;  ///< less than that in a tenth of the time
  double in_flight_p99 = 0;  ///< more than that in a hundredth of the time
};
/// In-flight figures are those of buckets: what happens within a minute (or whatever they are) is evened out.
[[nodiscard]] Totals totals_of(const History& history);

/// `part` of each: 0 if there was none.
[[nodiscard]] double ratio(double part, double whole);

[[nodiscard]] Confidence confidence_of(const Totals& totals);

/// What follows from the history's own limits, for every finding: "only 40 minutes of history".
[[nodiscard]] std::vector<std::string> unknown_of(const History& history, const Totals& totals);

}  // namespace mayfly::advise
