#include <array>
#include <nlohmann/json.hpp>

#include "cli/actions.h"
#include "cli/deploy_client.h"
#include "cli/deploy_view.h"
#include "cli/error.h"
#include "cli/input.h"
#include "cli/verbs.h"

namespace mayfly::cli {

using nlohmann::json;

namespace {

struct UpstreamArguments {
  std::string action;
  std::vector<std::string> names;
  std::optional<std::string> wrap;
  DeploySettings settings;
};

constexpr std::array kActions{Action{"list", "", 0, 0}, Action{"set", "NAME URL", 2, 2},
                              Action{"delete", "NAME", 1, 1}};

std::string joined(const json& list) {
  std::string text;
  for (const auto& one : list) text += (text.empty() ? "" : ", ") + one.get<std::string>();
  return text.empty() ? "-" : text;
}

/// Those of the functions that are upstreams, each with its configuration.
Result<json> upstreams(const DaemonClient& client) {
  const auto all = client.get("/v1/functions");
  if (!all) return std::unexpected(all.error());
  json found = json::array();
  for (const auto& function : all->at("functions")) {
    if (function.value("runtime", "") != "upstream") continue;
    auto one = client.get(function_target(function.value("name", "")));
    if (!one) return propagate(one);
    found.push_back(std::move(*one));
  }
  return found;
}

Result<int> list(Context& context, const DaemonClient& client) {
  const auto found = upstreams(client);
  if (!found) return std::unexpected(found.error());
  if (context.json) {
    context.out.line(json{{"upstreams", *found}}.dump(2));
    return kOk;
  }
  Table table({"NAME", "VERSION", "UPSTREAM", "WRAPPED BY", "URL"});
  for (const auto& one : *found) {
    const auto config = one.value("config", json::object());
    table.row({context.out.paint(Style::bold, one.value("name", "")), std::to_string(one.value("version", 0)),
               config.value("upstream", ""), joined(config.value("wrap", json::array())),
               one.value("url", "")});
  }
  if (table.empty())
    context.out.line("no upstreams: `mayfly upstream set NAME URL` makes one");
  else
    context.out.write(table.text(context.out));
  return kOk;
}

Result<int> set(Context& context, const DaemonClient& client, UpstreamArguments arguments) {
  auto& settings = arguments.settings.set;
  settings.insert(settings.begin(), "upstream=" + arguments.names[1]);
  if (arguments.wrap) settings.push_back("wrap=" + *arguments.wrap);
  const auto answer =
      deploy_function(client, arguments.names[0], Upload{.file = "upstream", .body = "", .origin = ""},
                      arguments.settings, {});
  if (!answer) return std::unexpected(answer.error());
  for (const auto& warning : answer->value("warnings", json::array()))
    context.err.line(context.err.paint(Style::yellow, "warning: ") + printable(warning.get<std::string>()));
  context.err.write(show_changes(*answer, false, context.err));
  context.out.line(context.json ? answer->dump(2)
                                : context.out.paint(Style::bold, answer->value("address", "")) + "  " +
                                      context.out.paint(Style::cyan, answer->value("url", "")));
  return kOk;
}

Result<int> remove(Context& context, const DaemonClient& client, const UpstreamArguments& arguments) {
  const auto& name = arguments.names[0];
  const auto one = client.get(function_target(name));
  if (!one) return std::unexpected(one.error());
  if (one->value("runtime", "") != "upstream")
    return fail(CliErrc::usage, "'" + name + "' is a function: `mayfly delete " + name + "` deletes it");
  const auto done = client.send({.method = "DELETE", .target = function_target(name)});
  if (!done) return std::unexpected(done.error());
  context.out.line(context.json ? json{{"deleted", name}}.dump() : name + " is deleted");
  return kOk;
}

Result<int> upstream(Context& context, const UpstreamArguments& arguments) {
  auto checked = check_action("upstream", kActions, arguments.action, arguments.names);
  if (!checked) return propagate(checked);
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  if (arguments.action == "list") return list(context, *client);
  if (arguments.action == "set") return set(context, *client, arguments);
  return remove(context, *client, arguments);
}

}  // namespace

Verb upstream_verb() {
  auto a = std::make_shared<UpstreamArguments>();
  return {
      .name = "upstream",
      .summary = "Services that are not functions, with functions in front of them",
      .description =
          "An upstream is an HTTP server elsewhere that is served under /NAME like a function: with routes, "
          "access, rate limits, versions and a rollback, and with decorators around it that may change or "
          "answer "
          "requests and change answers.\n\n"
          "`set` makes one, or a new version of it; the name of a function is refused. In a project it is "
          "[upstreams.NAME] in mayfly.toml with url and wrap, which `mayfly deploy` sets.",
      .examples = {"mayfly upstream set members http://10.0.0.7:8000 --wrap defaults,mask",
                   "mayfly upstream set shop https://shop.example.com/api --set 'routes=GET /shop/*' --set "
                   "timeout=5s",
                   "mayfly upstream list", "mayfly upstream delete members"},
      .arguments = {{"action", "ACTION", "list, set or delete", &a->action, ValueKind::upstream_action, true},
                    {"name", "NAME", "The upstream; of `set` also its URL", &a->names, ValueKind::function},
                    {"--wrap", "NAMES", "set: functions around it, the outermost first", &a->wrap},
                    {"--set", "KEY=VALUE",
                     "set: a key of [upstreams.NAME], as in mayfly.toml; may be repeated", &a->settings.set},
                    {"--keep-traffic", "", "set: leave the traffic where it is", &a->settings.keep_traffic}},
      .run = [a](Context& context) { return upstream(context, *a); }};
}

}  // namespace mayfly::cli
