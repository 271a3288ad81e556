#include <nlohmann/json.hpp>

#include "cli/credential.h"
#include "cli/verbs.h"

namespace mayfly::cli {

using nlohmann::json;

namespace {

struct KeyArguments {
  CredentialArguments common;
  std::vector<std::string> functions;
  std::optional<std::string> rate;
};

std::vector<std::string> cells(const json& key) {
  const auto functions = joined(key.at("functions"), ", ");
  return {functions.empty() ? "all" : functions, key.value("rate", "-")};
}

Result<int> key(Context& context, const KeyArguments& arguments) {
  const CredentialKind kind{
      "key", "no keys: `mayfly key create NAME` makes one", {"FUNCTIONS", "RATE"}, cells};
  return run_credential_verb(context, kind, arguments.common, [&]() -> Result<json> {
    json body = {{"functions", arguments.functions}};
    if (arguments.rate) body["rate"] = *arguments.rate;
    return body;
  });
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
      .arguments =
          {{"action", "ACTION", "create, list or revoke", &a->common.action, ValueKind::token_action, true},
           {"name", "NAME", "The key's name", &a->common.name},
           {"--function", "NAME", "A function that it is for (all that take keys); may be repeated",
            &a->functions, ValueKind::function},
           {"--rate", "RATE", "How often it may call: 100/s, 1000/h, '10/s burst 50' (no limit)", &a->rate},
           {"--expires", "TIME", "How long it lives, as in 30d or 12h (for ever)", &a->common.expires}},
      .run = [a](Context& context) { return key(context, *a); }};
}

}  // namespace mayfly::cli
