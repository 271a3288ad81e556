// Dead letters: deliveries that were given up.
#include <array>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/actions.h"
#include "cli/confirm.h"
#include "cli/error.h"
#include "cli/event_view.h"
#include "cli/input.h"
#include "cli/later_answer.h"
#include "cli/verbs.h"

namespace mayfly::cli {

using nlohmann::json;

namespace {

struct DlqArguments {
  std::string action;
  std::vector<std::string> names;
  unsigned limit = 0;  ///< 0: not said
  std::optional<std::string> before;
  bool body = false;
  bool yes = false;
};

constexpr std::array kActions{Action{"list", "[QUEUE]", 0, 1}, Action{"show", "ID", 1, 1},
                              Action{"redrive", "QUEUE", 1, 1}, Action{"purge", "QUEUE", 1, 1}};

std::string queue_target(const std::string& name, const std::string& rest) {
  return "/v1/queues/" + percent_encode(name) + rest;
}

bool is_id(const std::string& text) {
  return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// Which queues have some.
Result<int> list_queues(Context& context, const DaemonClient& client) {
  const auto answer = client.get("/v1/queues");
  if (!answer) return std::unexpected(answer.error());
  Table table({"QUEUE", "FUNCTION", "DEAD LETTERS"});
  json with_some = json::array();
  for (const auto& queue : answer->at("queues")) {
    const auto dead = queue.value("dead_letters", std::uint64_t{0});
    if (dead == 0) continue;
    with_some.push_back(queue);
    table.row({context.out.paint(Style::bold, short_queue(queue.value("queue", ""))),
               queue.value("function", ""), std::to_string(dead)});
  }
  if (context.json)
    context.out.line(json{{"queues", with_some}}.dump(2));
  else if (table.empty())
    context.out.line("no dead letters");
  else
    context.out.write(table.text(context.out));
  return kOk;
}

/// Why each was given up is worth more than what a list says: it is asked for.
std::string reason_of(const DaemonClient& client, const std::string& id) {
  const auto whole = client.get(invocation_target(id));
  if (!whole || !whole->contains("history") || whole->at("history").empty()) return "";
  return show_outcome(whole->at("history").back());
}

Result<int> list(Context& context, const DaemonClient& client, const DlqArguments& arguments) {
  if (arguments.names.empty()) return list_queues(context, client);
  std::string query =
      "/deliveries?state=dead&limit=" + std::to_string(arguments.limit > 0 ? arguments.limit : 20);
  if (arguments.before) query += "&before=" + percent_encode(*arguments.before);
  const auto answer = client.get(queue_target(arguments.names.front(), query));
  if (!answer) return std::unexpected(answer.error());
  if (context.json) {
    context.out.line(answer->dump(2));
    return kOk;
  }
  Table table({"INVOCATION", "ATTEMPTS", "ACCEPTED", "GIVEN UP", "LAST REASON"});
  for (const auto& one : answer->at("deliveries")) {
    const auto id = one.value("invocation", "");
    table.row({id, std::to_string(one.value("attempts", 0)), short_time(one.value("accepted", "")),
               short_time(one.value("finished", "")), reason_of(client, id)});
  }
  if (table.empty())
    context.out.line("no dead letters in " + short_queue(answer->value("queue", "")));
  else
    context.out.write(table.text(context.out));
  if (answer->value("more", false))
    context.err.line(context.err.paint(
        Style::dim, "there are older ones: mayfly dlq list " + arguments.names.front() + " --before " +
                        answer->at("deliveries").back().value("invocation", "")));
  return kOk;
}

void print_fields(Context& context, const json& event) {
  if (!event.contains("fields") || event["fields"].empty()) return;
  Table table({"FIELD", "VALUE"});
  for (const auto& field : event["fields"])
    table.row({printable(field.at(0).get<std::string>()), printable(field.at(1).get<std::string>())});
  context.out.write("\n" + table.text(context.out));
}

/// The whole of one: its history, and what was accepted.
Result<int> show(Context& context, const DaemonClient& client, const DlqArguments& arguments) {
  const auto& id = arguments.names.front();
  const auto body = client.send({.target = invocation_target(id, "/event")});
  if (arguments.body) {
    if (!body) return std::unexpected(body.error());
    context.out.write(body->body);
    return kOk;
  }
  auto answer = client.get(invocation_target(id));
  if (!answer) return propagate(answer);
  if (context.json) {
    if (body) put_body((*answer)["event"], body->body);
    context.out.line(answer->dump(2));
    return kOk;
  }
  context.out.write(show_invocation(*answer, context.out));
  print_fields(context, answer->value("event", json::object()));
  if (!body || body->body.empty()) return kOk;
  context.out.line("");
  if (is_plain_text(body->body))
    context.out.line(printable(body->body));
  else
    context.out.line("a body of " + size_in_words(body->body.size()) + " that is no text: --body prints it");
  return kOk;
}

Result<int> redrive(Context& context, const DaemonClient& client, const DlqArguments& arguments) {
  const auto& name = arguments.names.front();
  if (is_id(name)) {
    const auto answer = client.send_json("POST", invocation_target(name, "/retry"), json());
    if (!answer) return std::unexpected(answer.error());
    context.out.line(context.json ? answer->dump(2) : name + " is attempted again");
    return kOk;
  }
  const auto limit = arguments.limit > 0 ? "?limit=" + std::to_string(arguments.limit) : std::string();
  const auto answer = [&] {
    const Progress progress(context.err, "redriving " + name);
    return client.send_json("POST", queue_target(name, "/redrive" + limit), json());
  }();
  if (!answer) return std::unexpected(answer.error());
  const auto done = answer->value("redriven", std::uint64_t{0});
  if (done == 0 && !context.json) {
    context.out.line("nothing is dead in " + short_queue(answer->value("queue", name)) +
                     ": `mayfly dlq list` shows which queues have dead letters");
    return kOk;
  }
  context.out.line(context.json ? answer->dump(2)
                                : std::to_string(done) + (done == 1 ? " is" : " are") + " attempted again");
  return kOk;
}

Result<int> purge(Context& context, const DaemonClient& client, const DlqArguments& arguments) {
  const auto& name = arguments.names.front();
  auto sure = confirmed(context, arguments.yes, "forget all dead letters of " + name,
                        "the dead letters of " + name + " are to be forgotten");
  if (!sure) return propagate(sure);
  if (!*sure) {
    context.err.line("nothing was forgotten");
    return kFailed;
  }
  const auto answer =
      client.send_json("DELETE", queue_target(arguments.names.front(), "/deliveries?state=dead"), json());
  if (!answer) return std::unexpected(answer.error());
  const auto done = answer->value("purged", std::uint64_t{0});
  context.out.line(context.json ? answer->dump(2)
                                : std::to_string(done) + (done == 1 ? " is" : " are") + " forgotten");
  return kOk;
}

Result<int> dlq(Context& context, const DlqArguments& arguments) {
  auto checked = check_action("dlq", kActions, arguments.action, arguments.names);
  if (!checked) return propagate(checked);
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  if (arguments.action == "list") return list(context, *client, arguments);
  if (arguments.action == "show") return show(context, *client, arguments);
  if (arguments.action == "redrive") return redrive(context, *client, arguments);
  return purge(context, *client, arguments);
}

}  // namespace

Verb dlq_verb() {
  auto a = std::make_shared<DlqArguments>();
  return {
      .name = "dlq",
      .summary = "Look at dead letters, attempt them again or forget them",
      .description =
          "What failed as often as its function's configuration allows, or became too old, is given up and "
          "kept with its whole history. `list` shows which queues have dead letters, or those of one queue "
          "with "
          "the last reason of each; `show` all of one. `redrive` attempts all of a queue again from the "
          "beginning, or the one with this id; `purge` forgets all of a queue. QUEUE is a function, for its "
          "asynchronous invocations, or TOPIC/FUNCTION.",
      .examples = {"mayfly dlq list", "mayfly dlq list orders/mail",
                   "mayfly dlq show 0000100000001a000003f5d1c0e8b7a2 --body > order.json",
                   "mayfly dlq redrive orders/mail", "mayfly dlq purge hello --yes"},
      .arguments =
          {{"action", "ACTION", "list, show, redrive or purge", &a->action, ValueKind::dlq_action, true},
           {"name", "QUEUE", "The queue; of `show` (and `redrive`) an ID", &a->names, ValueKind::queue},
           {"-n,--limit", "COUNT", "list, redrive: how many, the newest first (list: 20; redrive: all)",
            &a->limit},
           {"--before", "ID", "list: only older ones than this", &a->before},
           {"--body", "", "show: print what was accepted, byte for byte, and nothing else", &a->body},
           {"-y,--yes", "", "purge: do not ask", &a->yes}},
      .run = [a](Context& context) { return dlq(context, *a); }};
}

}  // namespace mayfly::cli
