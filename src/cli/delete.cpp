#include <nlohmann/json.hpp>

#include "cli/confirm.h"
#include "cli/daemon_client.h"
#include "cli/error.h"
#include "cli/input.h"
#include "cli/verbs.h"

namespace mayfly::cli {
namespace {

struct DeleteArguments {
  std::string name;
  bool yes = false;
};

Result<int> remove(Context& context, const DeleteArguments& arguments) {
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  const auto [name, version] = split_address(arguments.name);
  std::string target = function_target(name);
  if (!version.empty()) {
    auto number = parse_version(version);
    if (!number) return propagate(number);
    target += "/versions/" + version;
  }
  auto sure =
      confirmed(context, arguments.yes, "delete " + arguments.name, arguments.name + " is to be deleted");
  if (!sure) return propagate(sure);
  if (!*sure) {
    context.err.line("nothing was deleted");
    return kFailed;
  }
  auto answer = client->send({.method = "DELETE", .target = target});
  if (!answer) return propagate(answer);
  context.out.line(context.json ? nlohmann::json{{"deleted", arguments.name}}.dump()
                                : arguments.name + " is deleted");
  return 0;
}

}  // namespace

Verb delete_verb() {
  auto arguments = std::make_shared<DeleteArguments>();
  return {.name = "delete",
          .summary = "Delete a function, or one version of it",
          .description = "A version can be deleted when it has neither traffic nor an alias.",
          .examples = {"mayfly delete hello", "mayfly delete hello@2 --yes"},
          .arguments = {{"name", "NAME[@VERSION]", "What is to be deleted", &arguments->name,
                         ValueKind::function, true},
                        {"-y,--yes", "", "Do not ask", &arguments->yes}},
          .run = [arguments](Context& context) { return remove(context, *arguments); }};
}

}  // namespace mayfly::cli
