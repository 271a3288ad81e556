// What was used, as JSON and as CSV; and how a request says what it wants of it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "admin/message.h"
#include "meter/budget.h"
#include "meter/prices.h"
#include "meter/usage_tables.h"

namespace mayfly::admin {

/// Of the parameters by, function, tenant, class, from, to. `now_ms`: since 1970. Error: invalid_parameter.
[[nodiscard]] Result<meter::UsageQuery> usage_query(const Request& request, std::int64_t now_ms);

/// Milliseconds since 1970 as "2026-05-01T12:00:00.000Z".
[[nodiscard]] std::string time_text(std::int64_t time_ms);

/// What a row is kept apart by, and its figures; with prices, what it costs.
[[nodiscard]] nlohmann::json usage_json(const meter::UsageRow& row, const meter::UsageQuery& query);
[[nodiscard]] nlohmann::json record_json(const meter::UsageBatch::Single& single);

/// A line of a bill: rows of the same key, whatever their class, with what each class costs.
struct BillLine {
  meter::UsageRow row;
  meter::Cost cost;
};
/// `rows` are kept apart by class. Those that differ in nothing else become one unless the query is by class.
[[nodiscard]] std::vector<BillLine> bill_lines(const std::vector<meter::UsageRow>& rows,
                                               const meter::UsageQuery& query, const meter::Prices& prices);
[[nodiscard]] nlohmann::json bill_json(const BillLine& line, const meter::UsageQuery& query);
/// Budgets that cover a function, or a tenant; empty: any.
[[nodiscard]] nlohmann::json budgets_json(const meter::BudgetBook* book, const std::string& function,
                                          const std::string& tenant);
[[nodiscard]] nlohmann::json prices_json(const meter::Prices& prices);

/// RFC 4180: a header, then a line for each object of an array, whose members are the columns. Texts that a
/// spreadsheet would take for a formula do not occur: they are names.
[[nodiscard]] std::string csv_of(const nlohmann::json& rows);

}  // namespace mayfly::admin
