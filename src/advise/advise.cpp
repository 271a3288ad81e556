#include "advise/advise.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "advise/cost.h"
#include "advise/coverage.h"
#include "advise/rules.h"
#include "advise/words.h"

namespace mayfly::advise {
namespace {

using Rule = std::optional<Finding> (*)(const Case&);

/// What does not work comes before what costs.
constexpr std::array<Rule, 9> kRules{longer_than_deadline, deaths,           steady_load,
                                     background,           chatty_chain,     loaded_at_each_start,
                                     cold_starts,          kept_for_nothing, costly_isolation};

}  // namespace

std::string_view form_name(Form form) {
  constexpr std::array<std::string_view, 7> kNames{"per-request", "warm",   "background", "isolation",
                                                   "dataset",     "merged", "service"};
  return kNames.at(static_cast<std::size_t>(form));
}

std::string_view confidence_name(Confidence confidence) {
  constexpr std::array<std::string_view, 3> kNames{"low", "medium", "high"};
  return kNames.at(static_cast<std::size_t>(confidence));
}

Finding finding_of(const Case& of, const char* rule, Form form) {
  Finding finding;
  finding.rule = rule;
  finding.form = form;
  finding.confidence = confidence_of(of.totals);
  finding.unknown = unknown_of(of.history, of.totals);
  finding.cost_now = cost_now(of.history, of.totals, of.prices);
  return finding;
}

Finding as_it_is(const Case& of) {
  const auto& sum = of.totals.sum;
  const bool in_background = of.history.configuration.background;
  const bool warm = of.history.configuration.min_instances > 0;
  auto finding = finding_of(of, "as-it-is",
                            in_background ? Form::background
                            : warm        ? Form::warm
                                          : Form::per_request);
  finding.reason = "no other rule fires";
  if (!of.history.calls_known)
    finding.unknown.emplace_back("how often it calls other functions: not metered");
  if (sum.requests == 0) {
    finding.summary = "there are no requests in the history: nothing can be said";
    finding.confidence = Confidence::low;
    return finding;
  }
  const double processes = processes_needed(of.history, of.totals);
  const double service = service_cost(of.history, of.totals, of.prices, processes);
  finding.figures = {{"requests", static_cast<double>(sum.requests)},
                     {"in_flight_mean", of.totals.in_flight},
                     {"service_processes", processes},
                     {"service_cost", service}};
  finding.summary = fmt::format("it fits as it is: {} in {}, {} in flight in the mean",
                                count_in_words(sum.requests, "request"), duration_in_words(sum.length_s),
                                number_in_words(of.totals.in_flight));
  if (*finding.cost_now > 0)
    finding.summary += fmt::format("; a service of {} would cost {} as much",
                                   count_in_words(static_cast<std::uint64_t>(processes), "process"),
                                   share_in_words(service / *finding.cost_now));
  return finding;
}

std::vector<Finding> advise(const History& history, const Prices& prices) {
  const auto totals = totals_of(history);
  const Case of{history, prices, totals};
  std::vector<Finding> findings;
  for (const auto rule : kRules)
    if (auto finding = rule(of)) findings.push_back(std::move(*finding));
  if (findings.empty()) findings.push_back(as_it_is(of));
  return findings;
}

}  // namespace mayfly::advise
