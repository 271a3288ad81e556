#include <fmt/format.h>

#include <algorithm>

#include "advise/cost.h"
#include "advise/rules.h"
#include "advise/thresholds.h"
#include "advise/words.h"

namespace mayfly::advise {

std::optional<Finding> loaded_at_each_start(const Case& of) {
  const auto& sum = of.totals.sum;
  const auto& history = of.history;
  const auto starts = static_cast<double>(sum.starts);
  if (history.configuration.datasets || starts < kFewEvents) return std::nullopt;
  const double load_s = sum.init_s / starts;
  const double data_gib =
      std::max(history.template_gib.value_or(0), history.instance_gib.value_or(0)) - kRuntimeGib;
  if (load_s < kLoad_s || data_gib < kLargeGib) return std::nullopt;
  auto finding = finding_of(of, "loaded-at-each-start", Form::dataset);
  finding.cost_then = *finding.cost_now + data_gib * sum.length_s * of.prices.kept_gib_s;
  finding.figures = {{"starts", starts}, {"load_mean_s", load_s}, {"data_gib", data_gib}};
  finding.summary = fmt::format(
      "{} took {} each to load some {} of data: as a dataset it is loaded once and shared by all instances",
      count_in_words(sum.starts, "start"), duration_in_words(load_s), gib_in_words(data_gib));
  finding.reason =
      fmt::format("at least {} starts, {} each or more, with at least {} beyond the {} of a runtime",
                  number_in_words(kFewEvents), duration_in_words(kLoad_s), gib_in_words(kLargeGib),
                  gib_in_words(kRuntimeGib));
  finding.unknown.emplace_back("what of that memory is data that is only read: the figures do not show it");
  return finding;
}

}  // namespace mayfly::advise
