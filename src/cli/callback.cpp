#include <array>
#include <nlohmann/json.hpp>

#include "cli/actions.h"
#include "cli/daemon_client.h"
#include "cli/error.h"
#include "cli/verbs.h"

namespace mayfly::cli {

namespace {

struct CallbackArguments {
  std::string action;
  std::vector<std::string> names;
};

constexpr std::array kActions{Action{"secret", "", 0, 0}};

Result<int> callback(Context& context, const CallbackArguments& arguments) {
  auto checked = check_action("callback", kActions, arguments.action, arguments.names);
  if (!checked) return propagate(checked);
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  const auto answer = client->get("/v1/callbacks/secret");
  if (!answer) return std::unexpected(answer.error());
  context.out.line(context.json ? answer->dump(2) : answer->value("secret", ""));
  return kOk;
}

}  // namespace

Verb callback_verb() {
  auto a = std::make_shared<CallbackArguments>();
  return {
      .name = "callback",
      .summary = "The secret that callbacks are signed with",
      .description =
          "`mayfly invoke --async --callback URL`, or a request with `Prefer: respond-async` and "
          "`Mayfly-Callback: URL`, has its result sent to the URL when it has ended. It is signed as "
          "Standard "
          "Webhooks has it; `secret` prints the secret, which receivers need to check that. It takes the "
          "admin token.\n\n"
          "`mayfly invocation get` shows how an invocation's callback stands. Those that were given up are "
          "dead letters of the queue `callbacks`.",
      .examples = {"mayfly callback secret", "mayfly dlq list callbacks", "mayfly dlq redrive callbacks"},
      .arguments = {{"action", "ACTION", "secret", &a->action, ValueKind::callback_action, true}},
      .run = [a](Context& context) { return callback(context, *a); }};
}

}  // namespace mayfly::cli
