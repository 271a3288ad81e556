// Metering as `serve` was told to do it: the price sheet, the ledger, and who hears of budgets.
#pragma once

#include <memory>

#include "cli/serve_options.h"
#include "events/engine.h"
#include "meter/budget.h"
#include "meter/ledger.h"
#include "meter/price_sheet.h"
#include "registry/registry.h"

namespace mayfly::daemon {

/// Of the price sheet's file; the default one if there is none.
[[nodiscard]] Result<meter::PriceSheet> read_price_sheet(const cli::ServeOptions& options);

/// The topic that gets an event for a budget that is nearly, or all, spent.
inline constexpr std::string_view kBudgetTopic = "mayfly.budget";

struct Metering {
  meter::Prices prices;
  std::unique_ptr<meter::BudgetBook> budgets;
  std::unique_ptr<meter::Ledger> ledger;  ///< null: nothing is metered, no budget counts
};

/// The data folder's ledger, which tells the log when it cannot write. The engine outlives it. What budgets
/// are of and is not there is told the log.
[[nodiscard]] Result<Metering> open_metering(const cli::ServeOptions& options, const meter::PriceSheet& sheet,
                                             events::Engine& engine, const registry::Registry& registry);

}  // namespace mayfly::daemon
