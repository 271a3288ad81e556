#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "cli/actions.h"
#include "cli/confirm.h"
#include "cli/daemon_client.h"
#include "cli/error.h"
#include "cli/event_view.h"
#include "cli/verbs.h"

namespace mayfly::cli {

using nlohmann::json;

namespace {

struct QueueArguments {
  std::string action;
  std::vector<std::string> names;
  bool only_names = false;
  bool all = false;
  bool yes = false;
};

constexpr std::array kActions{Action{"list", "[FUNCTION]", 0, 1}, Action{"pause", "QUEUE", 1, 1},
                              Action{"resume", "QUEUE", 1, 1}, Action{"delete", "QUEUE", 1, 1}};

std::string state_of(const Context& context, const json& queue) {
  if (queue.value("paused", false)) return context.out.paint(Style::yellow, "paused");
  if (!queue.value("attached", false)) return context.out.paint(Style::yellow, "no function");
  return "active";
}

/// A function's own queue that nothing has gone through since the start: there is one for each function.
bool is_quiet(const json& queue) {
  const bool own = queue.value("queue", "").starts_with("function:");
  const bool plain = !queue.value("paused", false) && queue.value("attached", false);
  const auto is_zero = [](const json& of, const char* member) {
    return of.value(member, std::uint64_t{0}) == 0;
  };
  const auto since = queue.value("since_start", json::object());
  constexpr std::array kNow{"backlog", "waiting", "running", "dead_letters"};
  constexpr std::array kSince{"succeeded", "failed", "dead", "cancelled"};
  return own && plain &&
         std::ranges::all_of(kNow, [&](const char* member) { return is_zero(queue, member); }) &&
         std::ranges::all_of(kSince, [&](const char* member) { return is_zero(since, member); });
}

Result<int> list(Context& context, const DaemonClient& client, const QueueArguments& arguments) {
  const auto answer = client.get(
      "/v1/queues" + (arguments.names.empty() ? "" : "?function=" + percent_encode(arguments.names.front())));
  if (!answer) return std::unexpected(answer.error());
  if (context.json) {
    context.out.line(answer->dump(2));
    return kOk;
  }
  const bool all = arguments.all || arguments.only_names || !arguments.names.empty();
  std::size_t left_out = 0;
  bool gone = false;
  Table table({"QUEUE", "STATE", "BACKLOG", "WAITING", "RUNNING", "SUCCEEDED", "FAILED", "DEAD LETTERS"});
  for (const auto& queue : answer->at("queues")) {
    if (!all && is_quiet(queue)) {
      ++left_out;
      continue;
    }
    gone = gone || !queue.value("attached", false);
    const auto name = short_queue(queue.value("queue", ""));
    // A name with blanks is not one that a shell could complete.
    if (arguments.only_names && !name.contains(' ')) context.out.line(name);
    const auto since = queue.value("since_start", json::object());
    const auto number = [](const json& of, const char* member) {
      return std::to_string(of.value(member, std::uint64_t{0}));
    };
    const auto dead = number(queue, "dead_letters");
    table.row({context.out.paint(Style::bold, name), state_of(context, queue), number(queue, "backlog"),
               number(queue, "waiting"), number(queue, "running"), number(since, "succeeded"),
               number(since, "failed"), dead == "0" ? dead : context.out.paint(Style::red, dead)});
  }
  if (arguments.only_names) return kOk;
  if (table.empty() && left_out == 0)
    context.out.line("no queues: every function that is deployed has one");
  else if (!table.empty())
    context.out.write(table.text(context.out));
  if (left_out > 0)
    context.err.line(context.err.paint(
        Style::dim, std::to_string(left_out) + " functions' own queues with nothing in them: --all"));
  if (gone)
    context.err.line(context.err.paint(
        Style::dim,
        "no function: it is gone, or subscribes no longer; `mayfly queue delete QUEUE` forgets the queue"));
  return kOk;
}

Result<int> remove(Context& context, const DaemonClient& client, const QueueArguments& arguments) {
  const auto& name = arguments.names.front();
  auto sure = confirmed(context, arguments.yes,
                        "forget the queue " + name + " with all that waits in it and its dead letters",
                        "the queue " + name + " is to be forgotten");
  if (!sure) return propagate(sure);
  if (!*sure) {
    context.err.line("nothing was forgotten");
    return kFailed;
  }
  const auto answer = client.send_json("DELETE", "/v1/queues/" + percent_encode(name), json());
  if (!answer) return std::unexpected(answer.error());
  context.out.line(context.json ? json{{"queue", name}, {"deleted", true}}.dump(2) : name + " is forgotten");
  return kOk;
}

Result<int> queue(Context& context, const QueueArguments& arguments) {
  auto checked = check_action("queue", kActions, arguments.action, arguments.names);
  if (!checked) return propagate(checked);
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  if (arguments.action == "list") return list(context, *client, arguments);
  if (arguments.action == "delete") return remove(context, *client, arguments);
  const auto& name = arguments.names.front();
  const auto answer =
      client->send_json("POST", "/v1/queues/" + percent_encode(name) + "/" + arguments.action, json());
  if (!answer) return std::unexpected(answer.error());
  if (context.json)
    context.out.line(answer->dump(2));
  else
    context.out.line(short_queue(answer->value("queue", name)) +
                     (answer->value("paused", false) ? " is paused: what is accepted waits" : " goes on"));
  return kOk;
}

}  // namespace

Verb queue_verb() {
  auto a = std::make_shared<QueueArguments>();
  return {
      .name = "queue",
      .summary = "List, pause, resume or delete the queues of events",
      .description =
          "Every function has a queue of its asynchronous invocations, called as the function; every "
          "subscription has one, called TOPIC/FUNCTION; every schedule has one. A queue that is paused "
          "begins "
          "no attempts, also after a restart; events are accepted all the same. SUCCEEDED and FAILED count "
          "attempts since the daemon's start. `list` leaves out functions' own queues that nothing has gone "
          "through. `delete` forgets a queue whose function is gone, or subscribes no longer.",
      .examples = {"mayfly queue list", "mayfly queue pause hello", "mayfly queue resume orders/mail",
                   "mayfly queue delete orders/old --yes"},
      .arguments = {{"action", "ACTION", "list, pause, resume or delete", &a->action, ValueKind::queue_action,
                     true},
                    {"-a,--all", "", "list: also those that nothing has gone through", &a->all},
                    {"-y,--yes", "", "delete: do not ask", &a->yes},
                    {"name", "QUEUE", "The queue; of `list`, a function", &a->names, ValueKind::queue},
                    {"--names", "", "list: print the names only, one a line", &a->only_names}},
      .run = [a](Context& context) { return queue(context, *a); }};
}

}  // namespace mayfly::cli
