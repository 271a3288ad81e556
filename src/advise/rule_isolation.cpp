#include <fmt/format.h>

#include "advise/rules.h"
#include "advise/thresholds.h"
#include "advise/words.h"

namespace mayfly::advise {

std::optional<Finding> deaths(const Case& of) {
  const auto& sum = of.totals.sum;
  const auto requests = static_cast<double>(sum.requests);
  const auto dead = static_cast<double>(sum.deaths);
  if (of.history.configuration.fresh_memory || of.history.configuration.background) return std::nullopt;
  if (dead < kFewEvents || dead < kDeathShare * requests) return std::nullopt;
  const double wall_s = sum.wall_s / requests;
  if (kFork_s > kForkIsFree * wall_s) return std::nullopt;

  auto finding = finding_of(of, "deaths", Form::isolation);
  finding.cost_then = finding.cost_now;
  finding.figures = {{"requests", requests}, {"deaths", dead}, {"wall_mean_s", wall_s}, {"fork_s", kFork_s}};
  finding.summary = fmt::format(
      "its instances died at {} of {}: isolation = \"request\" gives each a memory of its own, so that none "
      "meets "
      "what another left or takes others with it; at {} each the fork is {} of the work",
      share_in_words(dead / requests), count_in_words(sum.requests, "request"), duration_in_words(wall_s),
      share_in_words(kFork_s / wall_s));
  finding.reason =
      fmt::format("at least {} deaths, {} of all requests, and a fork of {} is at most {} of the work",
                  number_in_words(kFewEvents), share_in_words(kDeathShare), duration_in_words(kFork_s),
                  share_in_words(kForkIsFree));
  finding.unknown.emplace_back(
      "why they died: `mayfly describe` has the last reasons; a request that kills its own instance still "
      "does");
  finding.change = Change{"isolation", "\"request\""};
  return finding;
}

std::optional<Finding> costly_isolation(const Case& of) {
  const auto& sum = of.totals.sum;
  const auto requests = static_cast<double>(sum.requests);
  if (!of.history.configuration.fresh_memory || requests < kManyRequests) return std::nullopt;
  const double wall_s = sum.wall_s / requests;
  if (wall_s <= 0 || kFork_s < kForkIsMuch * wall_s) return std::nullopt;

  auto finding = finding_of(of, "costly-isolation", Form::isolation);
  finding.figures = {
      {"requests", requests}, {"wall_mean_s", wall_s}, {"fork_s", kFork_s}, {"forks_s", requests * kFork_s}};
  finding.summary = fmt::format(
      "a fork for each of {} is {} of their work of {} each: isolation = \"instance\" spares {} of forking, "
      "if the "
      "code keeps nothing of one request that another must not see",
      count_in_words(sum.requests, "request"), share_in_words(kFork_s / wall_s), duration_in_words(wall_s),
      duration_in_words(requests * kFork_s));
  finding.reason =
      fmt::format("at least {} requests, and a fork of {} is at least {} of the work",
                  number_in_words(kManyRequests), duration_in_words(kFork_s), share_in_words(kForkIsMuch));
  finding.unknown.emplace_back(
      "what isolation protects here: the platform cannot see it, so `--apply` leaves this to you");
  return finding;
}

}  // namespace mayfly::advise
