#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "advise/rules.h"
#include "advise/thresholds.h"
#include "advise/words.h"
#include "base/text.h"

namespace mayfly::advise {
namespace {

/// As mayfly.toml writes it.
std::string timeout_text(double seconds) {
  return '"' + format_duration(std::chrono::milliseconds(std::llround(seconds * 1'000))) + '"';
}

}  // namespace

std::optional<Finding> longer_than_deadline(const Case& of) {
  const auto& sum = of.totals.sum;
  const auto& configuration = of.history.configuration;
  const auto requests = static_cast<double>(sum.requests);
  const auto overdue = static_cast<double>(sum.overdue);
  if (overdue < kFewEvents || overdue < kOverdueShare * requests) return std::nullopt;
  const double waiting_s = ratio(sum.waiting_s, requests);
  if (waiting_s >= kWaitingShareOfTimeout * configuration.timeout_s) return std::nullopt;

  const bool nobody_waits = static_cast<double>(sum.unattended) >= kUnattendedShare * requests;
  auto finding = finding_of(of, "longer-than-deadline", Form::service);
  std::string advice =
      "callers do not wait so long: a long-running service, or a background job whose result is "
      "fetched later";
  if (nobody_waits && configuration.background) {
    advice = "a deadline was set for it: take `timeout` out, background work needs none";
    finding.form = Form::background;
  } else if (nobody_waits) {
    advice = "nobody waits for it: class = \"background\", which has no fixed deadline";
    finding.form = Form::background;
    finding.change = Change{"class", "\"background\""};
  } else if (configuration.timeout_s < kPatience_s) {
    const double longer_s = std::min(kTimeoutFactor * configuration.timeout_s, kPatience_s);
    finding.form = Form::per_request;
    finding.change = Change{"timeout", timeout_text(longer_s)};
    advice = "a longer one: timeout = " + finding.change->value;
  }
  finding.figures = {{"requests", requests},
                     {"overdue", overdue},
                     {"overdue_share", overdue / requests},
                     {"waiting_mean_s", waiting_s},
                     {"timeout_s", configuration.timeout_s},
                     {"unattended_share", static_cast<double>(sum.unattended) / requests}};
  finding.summary =
      fmt::format("{} of {} did not end within the deadline of {}, of which waiting took {}: {}",
                  share_in_words(overdue / requests), count_in_words(sum.requests, "request"),
                  duration_in_words(configuration.timeout_s), duration_in_words(waiting_s), advice);
  finding.reason = fmt::format(
      "at least {} of all requests and {} of them pass their deadline, and waiting is less than {} of it; up "
      "to a "
      "deadline of {} a longer one is advised",
      share_in_words(kOverdueShare), number_in_words(kFewEvents), share_in_words(kWaitingShareOfTimeout),
      duration_in_words(kPatience_s));
  finding.unknown.emplace_back("how long the work takes if it is let end, and so what it then costs");
  return finding;
}

}  // namespace mayfly::advise
