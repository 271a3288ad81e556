#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/daemon_client.h"
#include "cli/error.h"
#include "cli/input.h"
#include "cli/verbs.h"

namespace mayfly::cli {

using nlohmann::json;

namespace {

struct KeyArguments {
  std::string action;
  std::string name;
  std::vector<std::string> functions;
  std::optional<std::string> rate;
  std::optional<std::string> expires;
};

Result<int> create(Context& context, const KeyArguments& arguments) {
  json body = {{"name", arguments.name}, {"functions", arguments.functions}};
  if (arguments.rate) body["rate"] = *arguments.rate;
  if (arguments.expires) {
    const auto lifetime = parse_lifetime(*arguments.expires);
    if (!lifetime)
      return fail(CliErrc::usage, "--expires " + *arguments.expires + ": must be a time such as 30d or 12h");
    body["expires_in_s"] = *lifetime;
  }
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  const auto answer = client->send_json("POST", "/v1/keys", body);
  if (!answer) return std::unexpected(answer.error());
  if (context.json) {
    context.out.line(answer->dump(2));
    return kOk;
  }
  // The key alone is on standard output: KEY=$(mayfly key create …)
  context.err.line("this is shown once:");
  context.out.line(answer->value("key", ""));
  return kOk;
}

std::string functions_of(const json& key) {
  std::string text;
  for (const auto& function : key.at("functions"))
    text += (text.empty() ? "" : ", ") + function.get<std::string>();
  return text.empty() ? "all" : text;
}

Result<int> list(Context& context) {
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  const auto answer = client->get("/v1/keys");
  if (!answer) return std::unexpected(answer.error());
  if (context.json) {
    context.out.line(answer->dump(2));
    return kOk;
  }
  Table table({"NAME", "FUNCTIONS", "RATE", "CREATED", "EXPIRES"});
  for (const auto& key : answer->at("keys"))
    table.row({context.out.paint(Style::bold, key.value("name", "")), functions_of(key),
               key.value("rate", "-"), short_time(key.value("created", "")),
               key.contains("expires") ? short_time(key.value("expires", "")) : "never"});
  if (table.empty())
    context.out.line("no keys: `mayfly key create NAME` makes one");
  else
    context.out.write(table.text(context.out));
  return kOk;
}

Result<int> revoke(Context& context, const std::string& name) {
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  auto answer = client->send({.method = "DELETE", .target = "/v1/keys/" + percent_encode(name)});
  if (!answer) return propagate(answer);
  context.out.line(context.json ? json{{"revoked", name}}.dump() : name + " is revoked");
  return kOk;
}

Result<int> key(Context& context, const KeyArguments& arguments) {
  constexpr std::array<std::string_view, 3> kActions{"create", "list", "revoke"};
  const auto& action = arguments.action;
  if (std::ranges::find(kActions, action) == kActions.end())
    return fail(CliErrc::usage,
                "keys can be created (create), listed (list) and revoked (revoke), there is no '" + action +
                    "'" + did_you_mean(action, kActions));
  if (action == "list") {
    if (!arguments.name.empty()) return fail(CliErrc::usage, "`mayfly key list` takes no name");
    return list(context);
  }
  if (arguments.name.empty()) return fail(CliErrc::usage, "which key? mayfly key " + action + " NAME");
  return action == "create" ? create(context, arguments) : revoke(context, arguments.name);
}

}  // namespace

Verb key_verb() {
  auto a = std::make_shared<KeyArguments>();
  return {
      .name = "key",
      .summary = "Make, list or revoke keys for calling functions",
      .description =
          "A function with access = \"key\" answers only requests with a key: `Authorization: Bearer mf_...` "
          "or "
          "`X-API-Key: mf_...`. It gets the key's name in the header mayfly-key, not the key. `create` "
          "prints "
          "the key once; the daemon keeps only a hash of it. --rate limits how often this key may call each "
          "function. A revoked key is refused from the next request on.",
      .examples = {"mayfly key create partner --function pay --rate 100/s",
                   "mayfly key create trial --expires 30d", "mayfly key list", "mayfly key revoke partner"},
      .arguments = {{"action", "ACTION", "create, list or revoke", &a->action, ValueKind::token_action, true},
                    {"name", "NAME", "The key's name", &a->name},
                    {"--function", "NAME", "A function that it is for (all that take keys); may be repeated",
                     &a->functions, ValueKind::function},
                    {"--rate", "RATE", "How often it may call: 100/s, 1000/h, '10/s burst 50' (no limit)",
                     &a->rate},
                    {"--expires", "TIME", "How long it lives, as in 30d or 12h (for ever)", &a->expires}},
      .run = [a](Context& context) { return key(context, *a); }};
}

}  // namespace mayfly::cli
