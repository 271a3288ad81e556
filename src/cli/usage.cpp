#include <nlohmann/json.hpp>

#include "cli/error.h"
#include "cli/usage_view.h"
#include "cli/verbs.h"

namespace mayfly::cli {

using nlohmann::json;

namespace {

std::string number(const json& row, const char* member) {
  return std::to_string(row.value(member, std::uint64_t{0}));
}

Table sums_table(const json& rows) {
  auto heads = key_heads(rows);
  for (const char* head :
       {"INVOCATIONS", "FAILED", "RAN", "WAITED", "CPU", "INIT, IDLE CPU", "GIB S", "IN", "OUT"})
    heads.emplace_back(head);
  Table table(heads);
  for (const auto& row : rows) {
    auto cells = key_cells(row);
    const auto failed =
        row.value("failed", 0ULL) + row.value("timed_out", 0ULL) + row.value("rejected", 0ULL);
    cells.push_back(number(row, "invocations"));
    cells.push_back(std::to_string(failed));
    for (const char* member : {"wall_s", "waiting_s", "cpu_s"})
      cells.push_back(seconds_text(row.value(member, 0.0)));
    cells.push_back(seconds_text(row.value("init_cpu_s", 0.0) + row.value("idle_cpu_s", 0.0)));
    cells.push_back(figure_text(row.value("memory_gib_s", 0.0)));
    for (const char* member : {"bytes_in", "bytes_out"}) cells.push_back(bytes_text(row.value(member, 0.0)));
    table.row(std::move(cells));
  }
  return table;
}

Table records_table(const json& records) {
  Table table({"STARTED", "INVOCATION", "VERSION", "OUTCOME", "RAN", "WAITED", "CPU", "GIB S", "IN", "OUT"});
  for (const auto& one : records) {
    const auto attempt = one.value("attempt", 1);
    table.row({one.value("started", ""), one.value("invocation", ""),
               one.value("function", "") + "@" + number(one, "version"),
               one.value("outcome", "") + (attempt > 1 ? ", attempt " + std::to_string(attempt) : ""),
               seconds_text(one.value("wall_s", 0.0)), seconds_text(one.value("waiting_s", 0.0)),
               seconds_text(one.value("cpu_s", 0.0)) + (one.value("shared", false) ? " shared" : ""),
               figure_text(one.value("memory_gib_s", 0.0)), bytes_text(one.value("bytes_in", 0.0)),
               bytes_text(one.value("bytes_out", 0.0))});
  }
  return table;
}

Result<int> usage(Context& context, const UsageArguments& arguments) {
  const auto target = (arguments.records ? "/v1/usage/records" : "/v1/usage") + usage_query(arguments);
  auto asked = usage_answer(context, target, arguments.csv);
  if (!asked) return propagate(asked);
  const auto& answer = *asked;
  if (!answer) return kOk;
  const auto& rows = answer->at(arguments.records ? "records" : "rows");
  if (rows.empty())
    context.out.line("nothing was used");
  else
    context.out.write((arguments.records ? records_table(rows) : sums_table(rows)).text(context.out));
  const auto budgets = budget_table(answer->value("budgets", json::array()), context.out);
  if (!budgets.empty()) context.out.write("\n" + budgets);
  return kOk;
}

}  // namespace

Verb usage_verb() {
  auto a = std::make_shared<UsageArguments>();
  auto arguments = usage_arguments(*a);
  arguments.push_back(
      {"--records", "", "Single invocations, the newest first, in place of sums", &a->records});
  arguments.push_back({"-n,--limit", "N", "With --records: at most so many, up to 10000 (100)", &a->limit});
  return {
      .name = "usage",
      .summary = "Show what functions used: time, CPU, memory, bytes",
      .description =
          "Every invocation leaves a record of what it used. They are kept as sums, by minute for three "
          "days, by "
          "hour for two months, by day for five years; the newest one by one as well. CPU is what the kernel "
          "counted, user and system; where several invocations ran in an instance at once it is shared out "
          "among them, and records say so. What instances used to start and beside invocations is INIT, IDLE "
          "CPU.",
      .examples = {"mayfly usage", "mayfly usage hello --by hour --from 12h",
                   "mayfly usage --by tenant,class", "mayfly usage hello --records -n 20",
                   "mayfly usage --by function,day --from 30d --csv"},
      .arguments = std::move(arguments),
      .run = [a](Context& context) { return usage(context, *a); }};
}

}  // namespace mayfly::cli
