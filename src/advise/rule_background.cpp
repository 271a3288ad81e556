#include <fmt/format.h>

#include "advise/cost.h"
#include "advise/rules.h"
#include "advise/thresholds.h"
#include "advise/words.h"

namespace mayfly::advise {

std::optional<Finding> background(const Case& of) {
  const auto& sum = of.totals.sum;
  const auto requests = static_cast<double>(sum.requests);
  if (of.history.configuration.background || requests < kFewRequests) return std::nullopt;
  const double unattended = static_cast<double>(sum.unattended) / requests;
  const double wall_s = sum.wall_s / requests;
  if (unattended < kUnattendedShare || wall_s < kBackgroundWall_s) return std::nullopt;
  auto finding = finding_of(of, "background", Form::background);
  finding.cost_then = background_cost(of.totals, of.prices);
  if (*finding.cost_now <= 0 || *finding.cost_then > kBackgroundCostsAtMost * *finding.cost_now)
    return std::nullopt;
  finding.figures = {{"requests", requests},
                     {"unattended_share", unattended},
                     {"wall_mean_s", wall_s},
                     {"cpu_mean_s", sum.cpu_s / requests}};
  finding.summary = fmt::format(
      "nobody waits for {} of its {}, which take {} each: in the background they would cost {} as much and "
      "stay out "
      "of the way of those who wait",
      share_in_words(unattended), count_in_words(sum.requests, "request"), duration_in_words(wall_s),
      share_in_words(*finding.cost_then / *finding.cost_now));
  finding.reason = fmt::format(
      "at least {} of at least {} requests are events, schedules or asynchronous, they take at least {} in "
      "the mean, "
      "and cost at most {} in the background",
      share_in_words(kUnattendedShare), number_in_words(kFewRequests), duration_in_words(kBackgroundWall_s),
      share_in_words(kBackgroundCostsAtMost));
  finding.unknown.emplace_back("how soon its results are needed: background work waits for idle capacity");
  finding.change = Change{"class", "\"background\""};
  return finding;
}

}  // namespace mayfly::advise
