#include "daemon/metering.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>

#include "base/fields.h"
#include "base/regular_file.h"
#include "base/text.h"
#include "intake/publish_request.h"

namespace mayfly::daemon {

using nlohmann::json;

namespace {

std::string time_text(std::int64_t time_ms) {
  return timestamp(std::chrono::system_clock::time_point(milliseconds(time_ms)));
}

std::string state_text(meter::BudgetState state) {
  return std::string(meter::kBudgetStates.at(static_cast<std::size_t>(state)));
}

/// A CloudEvent in its structured form.
std::string event_of(const meter::BudgetView& view) {
  const auto& budget = view.budget;
  json data{{"limit", budget.limit},
            {"spent", view.spent},
            {"period", budget.monthly ? "month" : "day"},
            {"then", meter::kAtLimit.at(static_cast<std::size_t>(budget.at_limit))},
            {"resets", time_text(view.resets_ms)}};
  data[budget.function.empty() ? "tenant" : "function"] =
      budget.function.empty() ? budget.tenant : budget.function;
  const json event{{"specversion", "1.0"},
                   {"id", fmt::format("{}/{}/{}", budget.subject(), state_text(view.state), view.resets_ms)},
                   {"source", "/mayfly/budgets"},
                   {"type", "mayfly.budget." + state_text(view.state)},
                   {"subject", budget.subject()},
                   {"datacontenttype", "application/json"},
                   {"data", std::move(data)}};
  return event.dump(-1, ' ', false, json::error_handler_t::replace);
}

void publish(events::Engine& engine, const meter::BudgetView& view) {
  std::string fields;
  append_field(fields, "content-type", "application/cloudevents+json");
  auto events = intake::events_of_message(std::string(kBudgetTopic), fields, event_of(view));
  if (!events) return spdlog::error("the event of a budget: {}", events.error().message);
  auto held = std::make_shared<std::vector<events::NewEvent>>(std::move(*events));
  const auto told = [](const auto& result) {
    if (!result) spdlog::error("the event of a budget was not published: {}", result.error().message);
  };
  engine.make_topic(std::string(kBudgetTopic), false, [&engine, held, told](Result<void> made) {
    if (!made) return told(made);
    engine.accept("topic:" + std::string(kBudgetTopic), std::move(*held), told);
  });
}

void tell(events::Engine& engine, const meter::BudgetView& view) {
  const auto& budget = view.budget;
  spdlog::warn("the budget of {} is {}: {:.6g} of {:.6g}{}", budget.subject(),
               view.state == meter::BudgetState::spent ? "spent" : "nearly spent", view.spent, budget.limit,
               view.state == meter::BudgetState::spent && budget.at_limit != meter::AtLimit::warn
                   ? budget.at_limit == meter::AtLimit::stop ? "; its functions are stopped"
                                                             : "; its functions are throttled"
                   : "");
  publish(engine, view);
}

void warn_of_unknown(const std::vector<meter::Budget>& budgets, const registry::Registry& registry) {
  const auto is_covered = [&](const meter::Budget& budget) {
    for (const auto& function : registry.list())
      for (const auto& [number, version] : function->versions)
        if (budget.covers(function->name, version->config.tenant)) return true;
    return false;
  };
  for (const auto& budget : budgets)
    if (!is_covered(budget))
      spdlog::warn("there is a budget of {}, which is not there yet", budget.subject());
}

}  // namespace

Result<meter::PriceSheet> read_price_sheet(const cli::ServeOptions& options) {
  if (options.prices.empty()) return meter::PriceSheet{};
  constexpr std::uint64_t kMost = 1U << 20U;
  auto text = read_regular_file(options.prices, kMost);
  if (!text) return propagate(text);
  return meter::parse_price_sheet(*text, options.prices.string());
}

Result<Metering> open_metering(const cli::ServeOptions& options, const meter::PriceSheet& sheet,
                               events::Engine& engine, const registry::Registry& registry) {
  Metering metering{sheet.prices, nullptr, nullptr};
  metering.budgets = std::make_unique<meter::BudgetBook>(
      sheet.budgets, sheet.prices, [&engine](const meter::BudgetView& view) { tell(engine, view); });
  if (!options.metering) {
    if (!sheet.budgets.empty()) spdlog::warn("nothing is metered, so no budget counts");
    return metering;
  }
  warn_of_unknown(sheet.budgets, registry);
  meter::LedgerOptions ledger;
  ledger.file = options.data / "usage.db";
  ledger.on_trouble = [](const Error* error) {
    if (error != nullptr)
      spdlog::error("what functions use cannot be written, it is kept in memory: {}", error->message);
    else
      spdlog::info("what functions use is written again");
  };
  ledger.on_written = [book = metering.budgets.get()](meter::UsageTables& tables, auto written) {
    const auto done = book->update(tables, to_millis(SystemClock().wall()), written);
    if (!done) spdlog::error("budgets cannot be reckoned: {}", done.error().message);
  };
  auto opened = meter::Ledger::open(std::move(ledger));
  if (!opened) return propagate(opened);
  metering.ledger = std::move(*opened);
  return metering;
}

}  // namespace mayfly::daemon
