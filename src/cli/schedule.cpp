#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/actions.h"
#include "cli/daemon_client.h"
#include "cli/error.h"
#include "cli/input.h"
#include "cli/verbs.h"

namespace mayfly::cli {

using nlohmann::json;

namespace {

struct ScheduleArguments {
  std::string action;
  std::vector<std::string> names;
  bool only_names = false;
};

constexpr std::array kActions{Action{"list", "", 0, 0}, Action{"run", "SCHEDULE", 1, 1},
                              Action{"pause", "SCHEDULE", 1, 1}, Action{"resume", "SCHEDULE", 1, 1}};

std::string time_or(const json& schedule, const char* member, const char* otherwise) {
  return schedule.contains(member) ? short_time(schedule.value(member, "")) : otherwise;
}

Result<int> list(Context& context, const DaemonClient& client, bool only_names) {
  const auto answer = client.get("/v1/schedules");
  if (!answer) return std::unexpected(answer.error());
  if (context.json) {
    context.out.line(answer->dump(2));
    return kOk;
  }
  Table table({"FUNCTION", "WHEN", "TIME ZONE", "NEXT (UTC)", "LAST (UTC)", "NAME"});
  std::set<std::string> names;
  for (const auto& schedule : answer->at("schedules")) {
    const auto function = schedule.value("function", "");
    names.insert(function);
    table.row({context.out.paint(Style::bold, function), schedule.value("when", ""),
               schedule.value("timezone", ""),
               schedule.value("paused", false) ? context.out.paint(Style::yellow, "paused")
                                               : time_or(schedule, "next", "never"),
               time_or(schedule, "last", "-"), "'" + schedule.value("schedule", "") + "'"});
  }
  if (only_names) {
    for (const auto& name : names) context.out.line(name);
    return kOk;
  }
  if (table.empty())
    context.out.line("no schedules: a function has one by [[functions.NAME.on]] in mayfly.toml");
  else
    context.out.write(table.text(context.out));
  return kOk;
}

Result<int> schedule(Context& context, const ScheduleArguments& arguments) {
  auto checked = check_action("schedule", kActions, arguments.action, arguments.names);
  if (!checked) return propagate(checked);
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  const auto& action = arguments.action;
  if (action == "list") return list(context, *client, arguments.only_names);
  const auto answer = client->send_json(
      "POST", "/v1/schedules/" + percent_encode(arguments.names.front()) + "/" + action, json());
  if (!answer) return std::unexpected(answer.error());
  if (context.json) {
    context.out.line(answer->dump(2));
    return kOk;
  }
  if (action == "run") {
    // The id alone is on standard output: mayfly invocation get $(mayfly schedule run …)
    context.err.line(answer->value("function", "") + " is run by its schedule now");
    context.out.line(answer->value("invocation", ""));
    return kOk;
  }
  const auto name = answer->value("function", "") + " (" + answer->value("when", "") + ")";
  context.out.line(name + (action == "pause" ? " is paused: its times pass"
                                             : " goes on: next " + time_or(*answer, "next", "never")));
  return kOk;
}

}  // namespace

Verb schedule_verb() {
  auto a = std::make_shared<ScheduleArguments>();
  return {
      .name = "schedule",
      .summary = "List, run, pause or resume the schedules of functions",
      .description =
          "A schedule is named by its function, if that has only one; else by its whole name, which `list` "
          "shows. `run` runs it now, besides its times, and prints the invocation's id. The times of a "
          "schedule "
          "that is paused pass.",
      .examples = {"mayfly schedule list", "mayfly schedule run report",
                   "mayfly schedule pause 'schedule:report:0 3 * * * Europe/Berlin'"},
      .arguments = {{"action", "ACTION", "list, run, pause or resume", &a->action, ValueKind::schedule_action,
                     true},
                    {"name", "SCHEDULE", "The schedule, or its function", &a->names, ValueKind::schedule},
                    {"--names", "", "list: print the functions only, one a line", &a->only_names}},
      .run = [a](Context& context) { return schedule(context, *a); }};
}

}  // namespace mayfly::cli
