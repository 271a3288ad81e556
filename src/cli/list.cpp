#include <nlohmann/json.hpp>

#include "cli/daemon_client.h"
#include "cli/input.h"
#include "cli/verbs.h"

namespace mayfly::cli {
namespace {

struct ListArguments {
  bool names = false;
};

Result<int> list(Context& context, const ListArguments& arguments) {
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  auto answer = client->get("/v1/functions");
  if (!answer) return propagate(answer);
  if (context.json) {
    context.out.line(answer->dump(2));
    return 0;
  }
  const auto& functions = answer->at("functions");
  Table table({"NAME", "VERSION", "RUNTIME", "DEPLOYED", "URL"});
  for (const auto& function : functions) {
    const auto name = function.value("name", "");
    if (arguments.names) context.out.line(name);
    const auto weights = function.at("traffic").at("weights").size();
    std::string version = std::to_string(function.value("version", 0));
    if (weights > 1) version += " +" + std::to_string(weights - 1);
    table.row({context.out.paint(Style::bold, name), version, function.value("runtime", ""),
               short_time(function.value("created", "")), function.value("url", "")});
  }
  if (arguments.names) return 0;
  if (table.empty())
    context.out.line("no functions yet: `mayfly new hello` writes one, `mayfly deploy hello` deploys it");
  else
    context.out.write(table.text(context.out));
  return 0;
}

}  // namespace

Verb list_verb() {
  auto arguments = std::make_shared<ListArguments>();
  return {.name = "list",
          .summary = "List all functions",
          .description = "Shows the version with the most traffic; \"+1\" means that one more has some.",
          .examples = {"mayfly list", "mayfly list --json"},
          .arguments = {{"--names", "", "Print the names only, one a line", &arguments->names}},
          .run = [arguments](Context& context) { return list(context, *arguments); }};
}

}  // namespace mayfly::cli
