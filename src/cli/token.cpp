#include <nlohmann/json.hpp>
#include <ranges>

#include "base/text.h"
#include "cli/daemon_client.h"
#include "cli/error.h"
#include "cli/input.h"
#include "cli/verbs.h"

namespace mayfly::cli {

using nlohmann::json;

namespace {

struct TokenArguments {
  std::string action;
  std::string name;
  std::optional<std::string> scope;
  std::optional<std::string> expires;
};

Result<int> create(Context& context, const TokenArguments& arguments) {
  if (!arguments.scope)
    return fail(CliErrc::usage, "what may it do? --scope read,invoke,deploy: one of them, or several");
  json body = {{"name", arguments.name}, {"scopes", json::array()}};
  for (const auto part : std::views::split(*arguments.scope, ','))
    body["scopes"].push_back(std::string(std::string_view(part)));
  if (arguments.expires) {
    const auto lifetime = parse_lifetime(*arguments.expires);
    if (!lifetime)
      return fail(CliErrc::usage, "--expires " + *arguments.expires + ": must be a time such as 30d or 12h");
    body["expires_in_s"] = *lifetime;
  }
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  const auto answer = client->send_json("POST", "/v1/tokens", body);
  if (!answer) return std::unexpected(answer.error());
  if (context.json) {
    context.out.line(answer->dump(2));
    return kOk;
  }
  // The token alone is on standard output: TOKEN=$(mayfly token create …)
  context.err.line("this is shown once:");
  context.out.line(answer->value("token", ""));
  return kOk;
}

Result<int> list(Context& context) {
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  const auto answer = client->get("/v1/tokens");
  if (!answer) return std::unexpected(answer.error());
  if (context.json) {
    context.out.line(answer->dump(2));
    return kOk;
  }
  Table table({"NAME", "SCOPES", "CREATED", "EXPIRES"});
  for (const auto& token : answer->at("tokens")) {
    std::string scopes;
    for (const auto& scope : token.at("scopes"))
      scopes += (scopes.empty() ? "" : ",") + scope.get<std::string>();
    table.row({context.out.paint(Style::bold, token.value("name", "")), scopes,
               short_time(token.value("created", "")),
               token.contains("expires") ? short_time(token.value("expires", "")) : "never"});
  }
  if (table.empty())
    context.out.line("no named tokens: `mayfly token create NAME --scope deploy` makes one");
  else
    context.out.write(table.text(context.out));
  return kOk;
}

Result<int> revoke(Context& context, const std::string& name) {
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  auto answer = client->send({.method = "DELETE", .target = "/v1/tokens/" + percent_encode(name)});
  if (!answer) return propagate(answer);
  context.out.line(context.json ? json{{"revoked", name}}.dump() : name + " is revoked");
  return kOk;
}

Result<int> token(Context& context, const TokenArguments& arguments) {
  constexpr std::array<std::string_view, 3> kActions{"create", "list", "revoke"};
  const auto& action = arguments.action;
  if (std::ranges::find(kActions, action) == kActions.end())
    return fail(CliErrc::usage,
                "tokens can be created (create), listed (list) and revoked (revoke), there is no '" + action +
                    "'" + did_you_mean(action, kActions));
  if (action == "list") {
    if (!arguments.name.empty()) return fail(CliErrc::usage, "`mayfly token list` takes no name");
    return list(context);
  }
  if (arguments.name.empty()) return fail(CliErrc::usage, "which token? mayfly token " + action + " NAME");
  return action == "create" ? create(context, arguments) : revoke(context, arguments.name);
}

}  // namespace

Verb token_verb() {
  auto a = std::make_shared<TokenArguments>();
  return {
      .name = "token",
      .summary = "Make, list or revoke tokens for the admin API",
      .description =
          "A token has scopes: read (look at functions, logs, figures), invoke (call functions), deploy "
          "(make, "
          "change and delete them). None of them includes another, and no token but that of the file "
          "admin-token "
          "can make tokens. `create` prints the token once; the daemon keeps only a hash of it. Whoever has "
          "it sets "
          "MAYFLY_TOKEN.",
      .examples = {"mayfly token create ci --scope deploy,read --expires 30d", "mayfly token list",
                   "mayfly token revoke ci"},
      .arguments = {{"action", "ACTION", "create, list or revoke", &a->action, ValueKind::token_action, true},
                    {"name", "NAME", "The token's name", &a->name},
                    {"--scope", "SCOPES", "read, invoke, deploy: separated by commas", &a->scope},
                    {"--expires", "TIME", "How long it lives, as in 30d or 12h (for ever)", &a->expires}},
      .run = [a](Context& context) { return token(context, *a); }};
}

}  // namespace mayfly::cli
