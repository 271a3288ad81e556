#include <nlohmann/json.hpp>

#include "cli/error.h"
#include "cli/usage_view.h"
#include "cli/verbs.h"

namespace mayfly::cli {

using nlohmann::json;

namespace {

Table bill_table(const json& lines, const std::string& currency) {
  auto heads = key_heads(lines);
  for (const char* head : {"INVOCATIONS", "CPU", "GIB S RESERVED", "REQUESTS", "MEMORY", "CPU COST"})
    heads.emplace_back(head);
  heads.push_back(currency);
  Table table(heads);
  for (const auto& line : lines) {
    auto cells = key_cells(line);
    cells.push_back(std::to_string(line.value("invocations", std::uint64_t{0})));
    cells.push_back(seconds_text(line.value("cpu_s", 0.0)));
    cells.push_back(figure_text(line.value("reserved_gib_s", 0.0)));
    for (const char* member : {"cost_requests", "cost_memory", "cost_cpu", "cost"})
      cells.push_back(money_text(line.value(member, 0.0)));
    table.row(std::move(cells));
  }
  return table;
}

Result<int> bill(Context& context, const UsageArguments& arguments) {
  const auto target = "/v1/bill" + usage_query(arguments);
  auto asked = usage_answer(context, target, arguments.csv);
  if (!asked) return propagate(asked);
  const auto& answer = *asked;
  if (!answer) return kOk;
  const auto& lines = answer->at("lines");
  const auto currency = answer->at("prices").value("currency", "");
  if (!lines.empty()) context.out.write(bill_table(lines, currency).text(context.out));
  context.out.line("total " + money_text(answer->value("total", 0.0)) + " " + currency + " from " +
                   answer->value("from", "") + " to " + answer->value("to", ""));
  return kOk;
}

}  // namespace

Verb bill_verb() {
  auto a = std::make_shared<UsageArguments>();
  return {
      .name = "bill",
      .summary = "Show what functions cost, by the price sheet",
      .description =
          "Interactive invocations are paid by request and by the memory that was reserved while they ran, "
          "background work by the CPU and memory that it used. Prices are those of `mayfly serve --prices "
          "FILE`; "
          "--json shows them.",
      .examples = {"mayfly bill", "mayfly bill --by tenant --from 2026-05-01",
                   "mayfly bill hello --by day --from 30d", "mayfly bill --by function,day --from 30d --csv"},
      .arguments = usage_arguments(*a),
      .run = [a](Context& context) { return bill(context, *a); }};
}

}  // namespace mayfly::cli
