// What `usage` and `bill` share: their options, and figures for people.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/terminal.h"
#include "cli/verb.h"

namespace mayfly::cli {

struct UsageArguments {
  std::optional<std::string> function, by, tenant, invocation_class, from, to;
  bool csv = false;
  bool records = false;
  std::optional<std::string> limit;
};

/// Those that both verbs have.
[[nodiscard]] std::vector<Argument> usage_arguments(UsageArguments& arguments);
/// "?by=…" for the admin API; empty: nothing was said.
[[nodiscard]] std::string usage_query(const UsageArguments& arguments);

/// What the admin API answers. Nothing: it was asked for as CSV or JSON, and is printed.
[[nodiscard]] Result<std::optional<nlohmann::json>> usage_answer(Context& context, const std::string& target,
                                                                 bool csv);

/// What rows are kept apart by: the heads of its columns, and its cells of a row.
[[nodiscard]] std::vector<std::string> key_heads(const nlohmann::json& rows);
[[nodiscard]] std::vector<std::string> key_cells(const nlohmann::json& row);

/// Of a list of budgets; empty: there are none.
[[nodiscard]] std::string budget_table(const nlohmann::json& budgets, const Output& output);

[[nodiscard]] std::string seconds_text(double seconds);  ///< "12.3 ms", "4.56 s", "1 h 02 min"
[[nodiscard]] std::string bytes_text(double bytes);      ///< "1.2 MiB"
[[nodiscard]] std::string figure_text(double figure);    ///< four significant digits
/// Of a sum of money: to the cent from a hundredth of its unit on, else four significant digits.
[[nodiscard]] std::string money_text(double amount);

}  // namespace mayfly::cli
