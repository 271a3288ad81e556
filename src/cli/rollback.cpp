#include <nlohmann/json.hpp>

#include "cli/daemon_client.h"
#include "cli/input.h"
#include "cli/traffic_view.h"
#include "cli/verbs.h"

namespace mayfly::cli {
namespace {

struct RollbackArguments {
  std::string name;
  std::string version;
  bool open = false;
};

Result<int> rollback(Context& context, const RollbackArguments& arguments) {
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  auto [name, version] = split_address(arguments.name);
  if (!arguments.version.empty()) version = arguments.version;
  nlohmann::json body = nlohmann::json::object();
  if (!version.empty()) {
    auto number = parse_version(version);
    if (!number) return propagate(number);
    body["version"] = *number;
  }
  auto answer = client->send_json(
      "POST", function_target(name, arguments.open ? "/rollback?open=true" : "/rollback"), body);
  if (!answer) return propagate(answer);
  print_traffic(context, *answer);
  return 0;
}

}  // namespace

Verb rollback_verb() {
  auto arguments = std::make_shared<RollbackArguments>();
  return {.name = "rollback",
          .summary = "Give all traffic to an older version",
          .description =
              "Without a version: to the one before the newest that has traffic now. The version rolled "
              "back from stays; `mayfly rollback NAME VERSION` also goes forward again. Callers whom "
              "what serves now refuses are let in with --open only.",
          .examples = {"mayfly rollback hello", "mayfly rollback hello 2"},
          .arguments = {{"name", "NAME", "The function", &arguments->name, ValueKind::function, true},
                        {"version", "VERSION", "The version that gets all traffic", &arguments->version},
                        {"--open", "", "Also if it lets in callers whom what serves now refuses",
                         &arguments->open}},
          .run = [arguments](Context& context) { return rollback(context, *arguments); }};
}

}  // namespace mayfly::cli
