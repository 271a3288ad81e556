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
  auto answer = client->send_json("POST", function_target(name, "/rollback"), body);
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
              "back from stays; `mayfly rollback NAME VERSION` also goes forward again.",
          .examples = {"mayfly rollback hello", "mayfly rollback hello 2"},
          .arguments = {{"name", "NAME", "The function", &arguments->name, ValueKind::function, true},
                        {"version", "VERSION", "The version that gets all traffic", &arguments->version}},
          .run = [arguments](Context& context) { return rollback(context, *arguments); }};
}

}  // namespace mayfly::cli
