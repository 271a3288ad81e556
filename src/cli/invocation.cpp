#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "cli/actions.h"
#include "cli/error.h"
#include "cli/event_view.h"
#include "cli/later_answer.h"
#include "cli/verbs.h"

namespace mayfly::cli {

using nlohmann::json;

namespace {

struct InvocationArguments {
  std::string action;
  std::vector<std::string> names;
  std::optional<std::string> state;
  std::optional<std::string> before;
  unsigned limit = 20;
  bool wait = false;
  std::optional<std::string> timeout;
  bool quiet = false;
};

constexpr std::array kActions{Action{"list", "[FUNCTION|EVENT]", 0, 1}, Action{"get", "ID", 1, 1},
                              Action{"result", "ID", 1, 1}, Action{"cancel", "ID", 1, 1},
                              Action{"retry", "ID", 1, 1}};

bool is_id(const std::string& text) {
  return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// The deliveries of an event.
Result<int> list_deliveries(Context& context, const DaemonClient& client, const std::string& id) {
  const auto answer = client.get(invocation_target(id));
  if (!answer) return std::unexpected(answer.error());
  if (context.json)
    context.out.line(answer->dump(2));
  else
    context.out.write(answer->contains("deliveries") ? show_event(*answer, context.out)
                                                     : show_invocation(*answer, context.out));
  return kOk;
}

Result<int> list(Context& context, const DaemonClient& client, const InvocationArguments& arguments) {
  if (!arguments.names.empty() && is_id(arguments.names.front()))
    return list_deliveries(context, client, arguments.names.front());
  std::string target = "/v1/invocations?limit=" + std::to_string(arguments.limit);
  if (!arguments.names.empty()) target += "&function=" + percent_encode(arguments.names.front());
  if (arguments.state) target += "&state=" + percent_encode(*arguments.state);
  if (arguments.before) target += "&before=" + percent_encode(*arguments.before);
  const auto answer = client.get(target);
  if (!answer) return std::unexpected(answer.error());
  const auto& invocations = answer->at("invocations");
  if (context.json)
    context.out.line(answer->dump(2));
  else if (invocations.empty())
    context.out.line("no invocations: `mayfly invoke NAME --async` makes one");
  else
    context.out.write(invocation_table(invocations, context.out));
  if (!context.json && answer->value("more", false)) {
    std::string words = "mayfly invocation list";
    if (!arguments.names.empty()) words += " " + arguments.names.front();
    if (arguments.state) words += " --state " + *arguments.state;
    const auto before = answer->value("before", "");
    words += before.empty() ? " --limit " + std::to_string(std::min(1000U, arguments.limit * 5))
                            : " --before " + before;
    context.err.line(context.err.paint(
        Style::dim, "the newest " + std::to_string(invocations.size()) + "; there are more: " + words));
  }
  return kOk;
}

Result<int> get(Context& context, const DaemonClient& client, const std::string& id) {
  const auto answer = client.get(invocation_target(id));
  if (!answer) return std::unexpected(answer.error());
  if (context.json)
    context.out.line(answer->dump(2));
  else
    context.out.write(show_invocation(*answer, context.out));
  return kOk;
}

Result<int> change(Context& context, const DaemonClient& client, const std::string& id, bool retry) {
  const auto answer =
      client.send_json(retry ? "POST" : "DELETE", invocation_target(id, retry ? "/retry" : ""), json());
  if (!answer) return std::unexpected(answer.error());
  if (context.json)
    context.out.line(answer->dump(2));
  else
    context.out.line(id + "  " + paint_state(context.out, answer->value("status", "")));
  return kOk;
}

Result<int> invocation(Context& context, const InvocationArguments& arguments) {
  auto checked = check_action("invocation", kActions, arguments.action, arguments.names);
  if (!checked) return propagate(checked);
  auto patience = wait_time(arguments.timeout);
  if (!patience) return propagate(patience);
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  if (arguments.action == "list") return list(context, *client, arguments);
  const auto& id = arguments.names.front();
  if (arguments.action == "get") return get(context, *client, id);
  if (arguments.action == "result") {
    const bool wait = arguments.wait || arguments.timeout;
    return print_answer_of(context, *client, id, wait ? *patience : std::chrono::milliseconds(0),
                           arguments.quiet);
  }
  return change(context, *client, id, arguments.action == "retry");
}

}  // namespace

Verb invocation_verb() {
  auto a = std::make_shared<InvocationArguments>();
  return {
      .name = "invocation",
      .summary = "Look at what was accepted to be delivered later",
      .description =
          "An invocation is queued, running, failed (another attempt follows), or has ended: succeeded, dead "
          "(given "
          "up, kept as a dead letter) or cancelled. `get` shows its attempts with their reasons, `result` "
          "prints the "
          "function's answer as it was, `cancel` ends it, `retry` attempts it again from the beginning, "
          "whatever has "
          "become of it. `list` shows the newest ones, of topics and schedules as well. The id of an event, "
          "as `topic publish` "
          "prints it, stands for all its deliveries: `get` and `list` show one for each subscription.",
      .examples = {"mayfly invocation list hello --state dead",
                   "mayfly invocation get 0000100000001a000003f5d1c0e8b7a2",
                   "mayfly invocation result 0000100000001a000003f5d1c0e8b7a2 --wait > answer.bin",
                   "mayfly invocation cancel 0000100000001a000003f5d1c0e8b7a2"},
      .arguments = {{"action", "ACTION", "list, get, result, cancel or retry", &a->action,
                     ValueKind::invocation_action, true},
                    {"name", "ID", "The invocation; of `list`, a function or an event", &a->names,
                     ValueKind::function},
                    {"--state", "STATE", "list: only those in this state", &a->state, ValueKind::state},
                    {"-n,--limit", "COUNT", "list: how many, at most 1000 (20)", &a->limit},
                    {"--before", "ID", "list: only older ones than this, of the same queue", &a->before},
                    {"--wait", "", "result: wait until it has ended", &a->wait},
                    {"--timeout", "TIME", "result: for how long to wait, as in 30s or 10m (5m)", &a->timeout},
                    {"-q,--quiet", "", "result: print the body only", &a->quiet}},
      .run = [a](Context& context) { return invocation(context, *a); }};
}

}  // namespace mayfly::cli
