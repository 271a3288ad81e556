// Which form fits a function, and which is cheapest: from its metered history.
#pragma once

#include <vector>

#include "advise/finding.h"
#include "advise/history.h"

namespace mayfly::advise {

/// What is to be said of a function, never nothing; what weighs most comes first. Pure: the same history
/// gives the same findings. docs/advise.md has the rules.
[[nodiscard]] std::vector<Finding> advise(const History& history, const Prices& prices);

}  // namespace mayfly::advise
