#include "cli/usage_view.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/daemon_client.h"
#include "cli/http_client.h"

namespace mayfly::cli {

using nlohmann::json;

namespace {

constexpr std::array<std::pair<const char*, const char*>, 5> kKeys{{{"start", "TIME"},
                                                                    {"tenant", "TENANT"},
                                                                    {"function", "FUNCTION"},
                                                                    {"version", "VERSION"},
                                                                    {"class", "CLASS"}}};

}  // namespace

std::vector<Argument> usage_arguments(UsageArguments& arguments) {
  return {{"function", "FUNCTION", "Only of this one", &arguments.function, ValueKind::function},
          {"--by", "KEYS",
           "What lines are kept apart by: function, version, tenant, class, and one of minute, hour, day; "
           "several with commas (function)",
           &arguments.by},
          {"--tenant", "TENANT", "Only of this one's functions", &arguments.tenant},
          {"--class", "CLASS", "Only interactive, or only background", &arguments.invocation_class},
          {"--from", "TIME", "A day (2026-05-01), a time, or how long ago, like 24h (1d)", &arguments.from},
          {"--to", "TIME", "Likewise (now)", &arguments.to},
          {"--csv", "", "Comma-separated values, with a header", &arguments.csv}};
}

std::string usage_query(const UsageArguments& arguments) {
  const std::array<std::pair<const char*, const std::optional<std::string>*>, 7> kParameters{
      {{"function", &arguments.function},
       {"by", &arguments.by},
       {"tenant", &arguments.tenant},
       {"class", &arguments.invocation_class},
       {"from", &arguments.from},
       {"to", &arguments.to},
       {"limit", &arguments.limit}}};
  std::string query;
  const auto add = [&query](const std::string& name, const std::string& value) {
    query += (query.empty() ? "?" : "&") + name + "=" + percent_encode(value);
  };
  for (const auto& [name, value] : kParameters)
    if (*value) add(name, **value);
  if (arguments.csv) add("format", "csv");
  return query;
}

Result<std::optional<json>> usage_answer(Context& context, const std::string& target, bool csv) {
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  if (csv) {
    auto answer = client->send({.method = "GET", .target = target});
    if (!answer) return propagate(answer);
    context.out.write(answer->body);
    return std::nullopt;
  }
  auto answer = client->get(target);
  if (!answer) return propagate(answer);
  if (!context.json) return std::move(*answer);
  context.out.line(answer->dump(2));
  return std::nullopt;
}

std::vector<std::string> key_heads(const json& rows) {
  std::vector<std::string> heads;
  for (const auto& [member, head] : kKeys)
    if (!rows.empty() && rows.front().contains(member)) heads.emplace_back(head);
  return heads;
}

std::vector<std::string> key_cells(const json& row) {
  std::vector<std::string> cells;
  for (const auto& [member, head] : kKeys) {
    const auto found = row.find(member);
    if (found == row.end()) continue;
    const auto text = found->is_string() ? found->get<std::string>() : found->dump();
    cells.push_back(text.empty() ? "-" : text);
  }
  return cells;
}

std::string budget_table(const json& budgets, const Output& output) {
  Table table({"BUDGET OF", "STATE", "SPENT", "LIMIT", "A", "THEN", "UNTIL"});
  for (const auto& budget : budgets) {
    const auto state = budget.value("state", "");
    const auto style = state == "spent" ? Style::red : state == "warned" ? Style::yellow : Style::plain;
    const auto rate = budget.value("rate", "");
    table.row(
        {budget.contains("tenant") ? "tenant " + budget.value("tenant", "") : budget.value("function", ""),
         output.paint(style, state), money_text(budget.value("spent", 0.0)),
         money_text(budget.value("limit", 0.0)), budget.value("period", ""),
         budget.value("then", "") + (rate.empty() ? "" : " to " + rate), budget.value("resets", "")});
  }
  return table.empty() ? std::string() : table.text(output);
}

std::string figure_text(double figure) { return fmt::format("{:.4g}", figure); }

std::string seconds_text(double seconds) {
  if (seconds == 0) return "0";
  if (seconds < 0.001) return fmt::format("{:.3g} µs", seconds * 1e6);
  if (seconds < 1) return fmt::format("{:.3g} ms", seconds * 1e3);
  if (seconds < 600) return fmt::format("{:.3g} s", seconds);
  const auto minutes = static_cast<long long>(seconds / 60);
  if (minutes < 600) return fmt::format("{} min {:02} s", minutes, static_cast<long long>(seconds) % 60);
  return fmt::format("{} h {:02} min", minutes / 60, minutes % 60);
}

std::string bytes_text(double bytes) {
  constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  for (; bytes >= 1024 && unit + 1 < kUnits.size(); ++unit) bytes /= 1024;
  return fmt::format("{:.4g} {}", bytes, kUnits.at(unit));
}

std::string money_text(double amount) {
  return amount >= 0.01 ? fmt::format("{:.2f}", amount) : fmt::format("{:.4g}", amount);
}

}  // namespace mayfly::cli
