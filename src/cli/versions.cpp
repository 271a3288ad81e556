#include <nlohmann/json.hpp>

#include "cli/daemon_client.h"
#include "cli/input.h"
#include "cli/verbs.h"

namespace mayfly::cli {
namespace {

Result<int> versions(Context& context, const std::string& name) {
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  auto answer = client->get(function_target(name, "/versions"));
  if (!answer) return propagate(answer);
  if (context.json) {
    context.out.line(answer->dump(2));
    return 0;
  }
  Table table({"VERSION", "WEIGHT", "DEPLOYED", "RUNTIME", "DIGEST", "ALIASES"});
  for (const auto& version : answer->at("versions")) {
    std::string aliases;
    for (const auto& alias : version.at("aliases"))
      aliases += (aliases.empty() ? "" : ", ") + alias.get<std::string>();
    const auto weight = version.value("weight", 0);
    const auto address = version.value("address", "");
    table.row({weight > 0 ? context.out.paint(Style::bold, address) : address,
               weight > 0 ? context.out.paint(Style::green, std::to_string(weight)) : "-",
               short_time(version.value("created", "")), version.value("runtime", ""),
               version.value("digest", "").substr(0, 12), aliases});
  }
  context.out.write(table.text(context.out));
  return 0;
}

}  // namespace

Verb versions_verb() {
  auto name = std::make_shared<std::string>();
  return {.name = "versions",
          .summary = "List the versions of a function",
          .description = "Newest first, with their share of the traffic.",
          .examples = {"mayfly versions hello"},
          .arguments = {{"name", "NAME", "The function", name.get(), ValueKind::function, true}},
          .run = [name](Context& context) { return versions(context, *name); }};
}

}  // namespace mayfly::cli
