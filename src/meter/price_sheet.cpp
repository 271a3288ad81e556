#include "meter/price_sheet.h"

#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "base/text.h"

namespace mayfly::meter {
namespace {

std::unexpected<Error> wrong(const std::string& name, const toml::node& where, const std::string& what) {
  return fail(std::make_error_code(std::errc::invalid_argument),
              name + ":" + std::to_string(where.source().begin.line) + ": " + what);
}

std::string unknown(const char* what, std::string_view key, std::span<const std::string_view> names) {
  return std::string("there is no ") + what + " '" + std::string(key) + "'" + did_you_mean(key, names);
}

std::string unknown_price(std::string_view key) {
  std::vector<std::string_view> names{"currency", "budgets"};
  for (const auto& field : kPriceFields) names.push_back(field.name);
  return unknown("price", key, names);
}

Result<void> take(Prices& prices, const std::string& name, std::string_view key, const toml::node& value) {
  if (key == "currency") {
    const auto text = value.value_exact<std::string>();
    const auto is_letter = [](char c) { return c > ' ' && c != 127; };
    if (!text || text->empty() || text->size() > 8 || !std::ranges::all_of(*text, is_letter))
      return wrong(name, value, "currency must be a text of 1 to 8 characters, like \"EUR\"");
    prices.currency = *text;
    return {};
  }
  const auto* const field = std::ranges::find(kPriceFields, key, &PriceField::name);
  if (field == kPriceFields.end()) return wrong(name, value, unknown_price(key));
  const auto price = value.is_number() ? value.value<double>() : std::nullopt;
  if (!price) return wrong(name, value, std::string(key) + " must be a number");
  if (!std::isfinite(*price) || *price < 0 || *price > 1e9)
    return wrong(name, value,
                 std::string(key) + " must be a price of 0 to 1000000000: nothing costs less than 0");
  prices.*field->member = *price;
  return {};
}

constexpr std::array<std::string_view, 7> kBudgetKeys{"function", "tenant", "limit", "period",
                                                      "warn",     "then",   "rate"};

std::optional<double> positive(const toml::node& value, double most) {
  const auto number = value.is_number() ? value.value<double>() : std::nullopt;
  return number && std::isfinite(*number) && *number > 0 && *number <= most ? number : std::nullopt;
}

/// Empty: it is taken; else what it has to be.
std::string take_budget_key(Budget& budget, std::string_view key, const toml::node& value) {
  const auto text = value.value_exact<std::string>().value_or("");
  if (key == "function" || key == "tenant") {
    (key == "function" ? budget.function : budget.tenant) = text;
    return text.empty() ? "a name" : "";
  }
  if (key == "limit") {
    const auto limit = positive(value, 1e12);
    budget.limit = limit.value_or(0);
    return limit ? "" : "a sum above 0";
  }
  if (key == "warn") {
    const auto part = positive(value, 1);
    budget.warn = part.value_or(1);
    return part ? "" : "a part of the limit, above 0 and at most 1";
  }
  if (key == "period") {
    budget.monthly = text == "month";
    return text == "month" || text == "day" ? "" : "\"day\" or \"month\"";
  }
  if (key == "rate") {
    const auto rate = parse_rate(text);
    budget.rate = rate.value_or(Rate{});
    return rate ? "" : "a rate like \"10/s\" or \"100/h\"";
  }
  const auto* const which = std::ranges::find(kAtLimit, text);
  if (which == kAtLimit.end()) return "\"warn\", \"throttle\" or \"stop\"";
  budget.at_limit = static_cast<AtLimit>(which - kAtLimit.begin());
  return "";
}

Result<Budget> take_budget(const std::string& name, const toml::node& node) {
  const auto* const table = node.as_table();
  if (table == nullptr) return wrong(name, node, "a budget is a table, [[budgets]]");
  Budget budget;
  for (const auto& [key, value] : *table) {
    if (std::ranges::find(kBudgetKeys, key.str()) == kBudgetKeys.end())
      return wrong(name, value, unknown("key of a budget", key.str(), kBudgetKeys));
    if (const auto allowed = take_budget_key(budget, key.str(), value); !allowed.empty())
      return wrong(name, value, std::string(key.str()) + " of a budget must be " + allowed);
  }
  if (budget.function.empty() == budget.tenant.empty())
    return wrong(name, node, "a budget is of a function or of a tenant: one of both");
  if (budget.limit <= 0) return wrong(name, node, "a budget needs a limit");
  if ((budget.at_limit == AtLimit::throttle) != table->contains("rate"))
    return wrong(name, node, "a budget has a rate if, and only if, then = \"throttle\"");
  return budget;
}

Result<void> take_budgets(PriceSheet& sheet, const std::string& name, const toml::node& value) {
  constexpr std::size_t kMost = 1'000;
  const auto* const list = value.as_array();
  if (list == nullptr || list->size() > kMost)
    return wrong(name, value, "budgets are written as [[budgets]], at most 1000 of them");
  for (const auto& one : *list) {
    auto budget = take_budget(name, one);
    if (!budget) return propagate(budget);
    sheet.budgets.push_back(std::move(*budget));
  }
  return {};
}

}  // namespace

Result<PriceSheet> parse_price_sheet(const std::string& text, const std::string& name) {
  toml::table table;
  try {
    table = toml::parse(text);
  } catch (const toml::parse_error& error) {
    return fail(
        std::make_error_code(std::errc::invalid_argument),
        name + ":" + std::to_string(error.source().begin.line) + ": " + std::string(error.description()));
  }
  PriceSheet sheet;
  const bool names_any =
      std::ranges::any_of(kPriceFields, [&](const auto& field) { return table.contains(field.name); });
  for (const auto& field : kPriceFields)
    if (names_any) sheet.prices.*field.member = 0;
  for (const auto& [key, value] : table) {
    auto taken = key.str() == "budgets" ? take_budgets(sheet, name, value)
                                        : take(sheet.prices, name, key.str(), value);
    if (!taken) return propagate(taken);
  }
  return sheet;
}

}  // namespace mayfly::meter
