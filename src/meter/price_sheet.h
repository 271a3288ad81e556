// The file of prices and budgets, in TOML.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "meter/budget.h"
#include "meter/prices.h"

namespace mayfly::meter {

struct PriceSheet {
  Prices prices{};
  std::vector<Budget> budgets{};
};

/// `currency` and prices at the top, all of them optional: once one of them is named, those that are not are
/// 0. Any number of [[budgets]]. `name` is what errors call the file. Errors (invalid_argument) say the line:
/// no TOML, an unknown key, a value of the wrong kind, a price that is negative or not finite, a budget that
/// is none.
[[nodiscard]] Result<PriceSheet> parse_price_sheet(const std::string& text, const std::string& name);

}  // namespace mayfly::meter
