#include <fmt/format.h>

#include <algorithm>

#include "advise/cost.h"
#include "advise/rules.h"
#include "advise/thresholds.h"
#include "advise/words.h"

namespace mayfly::advise {
namespace {

/// All callees whose calls are short.
Callee small_callees(const History& history) {
  Callee sum{.function = "", .work_known = true};
  for (const auto& callee : history.callees) {
    if (callee.calls == 0 || callee.waited_s > kSmallCall_s * static_cast<double>(callee.calls)) continue;
    sum.function += (sum.function.empty() ? "" : ", ") + callee.function;
    sum.calls += callee.calls;
    sum.waited_s += callee.waited_s;
    sum.work_known = sum.work_known && callee.work_known;
    sum.wall_s += callee.wall_s;
    sum.cpu_s += callee.cpu_s;
    sum.gib_s += callee.gib_s;
  }
  return sum;
}

}  // namespace

std::optional<Finding> chatty_chain(const Case& of) {
  const auto& sum = of.totals.sum;
  const auto& prices = of.prices;
  const auto requests = static_cast<double>(sum.requests);
  if (requests < kFewRequests) return std::nullopt;
  const auto small = small_callees(of.history);
  const auto calls = static_cast<double>(small.calls);
  if (calls < kCallsPerRequest * requests || small.waited_s < kCallsShare * sum.wall_s) return std::nullopt;

  auto finding = finding_of(of, "chatty-chain", Form::merged);
  // Together they are paid once for the time in which the caller only waits, and no call is a request. What a
  // call takes beyond the callee's own work is gone.
  const double overhead =
      small.work_known ? std::clamp(ratio(small.waited_s - small.wall_s, sum.wall_s), 0.0, 1.0) : 0;
  finding.cost_then = *finding.cost_now - sum.gib_s * overhead * prices.gib_s + small.cpu_s * prices.cpu_s;
  *finding.cost_now += calls * prices.request + small.gib_s * prices.gib_s + small.cpu_s * prices.cpu_s;
  const double share = std::min(1.0, small.waited_s / sum.wall_s);
  finding.figures = {{"requests", requests},
                     {"calls_per_request", calls / requests},
                     {"call_mean_s", small.waited_s / calls},
                     {"waiting_for_calls_share", share}};
  finding.summary = fmt::format(
      "{} of its time it waits for {}: {} calls a request of {} each; as one function with them it would "
      "cost "
      "{} as "
      "much as all do now",
      share_in_words(share), small.function, number_in_words(calls / requests),
      duration_in_words(small.waited_s / calls),
      share_in_words(ratio(*finding.cost_then, *finding.cost_now)));
  finding.reason = fmt::format(
      "at least {} calls a request that take at most {} each, and {} of the time or more",
      number_in_words(kCallsPerRequest), duration_in_words(kSmallCall_s), share_in_words(kCallsShare));
  if (!small.work_known)
    finding.unknown.emplace_back(
        "what the functions that it calls use for it: reckoned with the price of their requests alone");
  finding.unknown.emplace_back(
      "whether who else calls them, or their rights, are a reason to keep them apart");
  return finding;
}

}  // namespace mayfly::advise
