#include <nlohmann/json.hpp>
#include <ranges>

#include "cli/credential.h"
#include "cli/error.h"
#include "cli/verbs.h"

namespace mayfly::cli {

using nlohmann::json;

namespace {

struct TokenArguments {
  CredentialArguments common;
  std::optional<std::string> scope;
};

Result<int> token(Context& context, const TokenArguments& arguments) {
  const CredentialKind kind{"token",
                            "no named tokens: `mayfly token create NAME --scope deploy` makes one",
                            {"SCOPES"},
                            [](const json& token) { return std::vector{joined(token.at("scopes"), ",")}; }};
  return run_credential_verb(context, kind, arguments.common, [&]() -> Result<json> {
    if (!arguments.scope)
      return fail(CliErrc::usage, "what may it do? --scope read,invoke,deploy: one of them, or several");
    json body = {{"scopes", json::array()}};
    for (const auto part : std::views::split(*arguments.scope, ','))
      body["scopes"].push_back(std::string(std::string_view(part)));
    return body;
  });
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
      .arguments = {{"action", "ACTION", "create, list or revoke", &a->common.action, ValueKind::token_action,
                     true},
                    {"name", "NAME", "The token's name", &a->common.name},
                    {"--scope", "SCOPES", "read, invoke, deploy: separated by commas", &a->scope},
                    {"--expires", "TIME", "How long it lives, as in 30d or 12h (for ever)",
                     &a->common.expires}},
      .run = [a](Context& context) { return token(context, *a); }};
}

}  // namespace mayfly::cli
