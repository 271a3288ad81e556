#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/daemon_client.h"
#include "cli/doctor_checks.h"
#include "cli/error.h"
#include "cli/verbs.h"

namespace mayfly::cli {
namespace {

const char* text(Health health) {
  switch (health) {
    case Health::good:
      return "ok";
    case Health::missing:
      return "missing";
    case Health::warning:
      return "warning";
    case Health::bad:
      return "problem";
  }
  return "";
}

Style style_of(Health health) {
  switch (health) {
    case Health::good:
      return Style::green;
    case Health::missing:
      return Style::cyan;
    case Health::warning:
      return Style::yellow;
    case Health::bad:
      return Style::red;
  }
  return Style::plain;
}

Result<int> doctor(Context& context) {
  std::vector<Finding> findings;
  const auto sandbox = check_sandbox();  // forks: before there is a thread that shows progress
  {
    const Progress progress(context.err, "looking");
    for (auto& group :
         {check_kernel(), sandbox, check_limits(), check_network(), check_runtimes(),
          check_data_folder(data_folder(context.connection.data)), check_daemon(context.connection)})
      findings.insert(findings.end(), group.begin(), group.end());
  }
  const bool bad = std::ranges::any_of(findings, [](const auto& each) { return each.health == Health::bad; });
  if (context.json) {
    nlohmann::json list = nlohmann::json::array();
    for (const auto& each : findings) {
      list.push_back({{"what", each.what},
                      {"health", text(each.health)},
                      {"found", each.found},
                      {"advice", each.advice}});
      if (each.path.empty()) continue;
      list.back()["version"] = each.version;
      list.back()["path"] = each.path;
    }
    context.out.line(nlohmann::json{{"findings", list}, {"fit", !bad}}.dump(2));
    return bad ? kFailed : kOk;
  }
  Table table({"", "CHECK", "FOUND"});
  for (const auto& each : findings)
    table.row(
        {context.out.paint(style_of(each.health), text(each.health)), each.what, printable(each.found)});
  context.out.write(table.text(context.out));
  for (const auto& each : findings)
    if (!each.advice.empty())
      context.out.line("\n" + context.out.paint(style_of(each.health), each.what) + ": " +
                       printable(each.advice));
  return bad ? kFailed : kOk;
}

}  // namespace

Verb doctor_verb() {
  return {
      .name = "doctor",
      .summary = "Check whether this machine is fit to run functions, and say what to do",
      .description =
          "Looks at the kernel, at what functions are run and built with (each runtime, its version and "
          "place), at the data folder and for a daemon. Ends with 1 if something would keep the daemon from "
          "working; warnings and what is missing for one language do not count.",
      .examples = {"mayfly doctor", "mayfly doctor --json"},
      .arguments = {},
      .run = doctor};
}

}  // namespace mayfly::cli
