// One function for each rule. Each looks at one history and says something, or nothing.
#pragma once

#include <optional>

#include "advise/coverage.h"
#include "advise/finding.h"
#include "advise/history.h"

namespace mayfly::advise {

/// What every rule is given; the references outlive it.
struct Case {
  const History& history;
  const Prices& prices;
  const Totals& totals;
};

/// A finding with what all have: the confidence, what is not known, what it costs now.
[[nodiscard]] Finding finding_of(const Case& of, const char* rule, Form form);

[[nodiscard]] std::optional<Finding> steady_load(const Case& of);           // rule_service.cpp
[[nodiscard]] std::optional<Finding> longer_than_deadline(const Case& of);  // rule_deadline.cpp
[[nodiscard]] std::optional<Finding> background(const Case& of);            // rule_background.cpp
[[nodiscard]] std::optional<Finding> loaded_at_each_start(const Case& of);  // rule_dataset.cpp
[[nodiscard]] std::optional<Finding> chatty_chain(const Case& of);          // rule_chain.cpp
[[nodiscard]] std::optional<Finding> cold_starts(const Case& of);           // rule_warm.cpp
[[nodiscard]] std::optional<Finding> kept_for_nothing(const Case& of);      // rule_warm.cpp
[[nodiscard]] std::optional<Finding> deaths(const Case& of);                // rule_isolation.cpp
[[nodiscard]] std::optional<Finding> costly_isolation(const Case& of);      // rule_isolation.cpp
/// What is said if no other rule fires.
[[nodiscard]] Finding as_it_is(const Case& of);

}  // namespace mayfly::advise
