#include <array>
#include <nlohmann/json.hpp>
#include <random>

#include "base/text.h"
#include "cli/actions.h"
#include "cli/daemon_client.h"
#include "cli/error.h"
#include "cli/event_view.h"
#include "cli/input.h"
#include "cli/verbs.h"

namespace mayfly::cli {

using nlohmann::json;

namespace {

struct TopicArguments {
  std::string action;
  std::vector<std::string> names;
  std::optional<std::string> data;
  std::optional<std::string> type, source, subject, id, partition, content_type;
  std::vector<std::string> attributes;
  bool open = false;
  bool closed = false;
  bool only_names = false;
};

constexpr std::array kActions{Action{"list", "", 0, 0}, Action{"create", "TOPIC", 1, 1},
                              Action{"publish", "TOPIC [BODY]", 1, 2}};

std::string target_of(const std::string& topic) { return "/v1/topics/" + percent_encode(topic); }

std::string random_id() {
  std::random_device device;
  std::string id;
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (int i = 0; i < 32; ++i) id += kDigits[device() % kDigits.size()];
  return id;
}

/// An attribute's value as a header's (CloudEvents HTTP binding 1.0.2, section 3.1.3.2).
std::string as_header(std::string_view value) {
  std::string text;
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7F && c != '"' && c != '%')
      text += c;
    else
      text.append("%").append(1, kDigits[byte >> 4U]).append(1, kDigits[byte & 15U]);
  }
  return text;
}

std::string type_of_body(const std::string& body) {
  if (json::accept(body)) return "application/json";
  return is_plain_text(body) ? "text/plain; charset=utf-8" : "application/octet-stream";
}

/// Attributes that make an event a whole one need each other: who gives one gets the rest.
Result<HeaderList> headers_of(const TopicArguments& arguments, const std::string& body) {
  HeaderList headers{{"Content-Type", arguments.content_type.value_or(type_of_body(body))}};
  if (arguments.type || arguments.source || arguments.id) {
    headers.emplace_back("ce-specversion", "1.0");
    headers.emplace_back("ce-id", as_header(arguments.id.value_or(random_id())));
    headers.emplace_back("ce-source", as_header(arguments.source.value_or("/topics/" + arguments.names[0])));
    headers.emplace_back("ce-type", as_header(arguments.type.value_or("mayfly.published")));
  }
  if (arguments.subject) headers.emplace_back("ce-subject", as_header(*arguments.subject));
  if (arguments.partition) headers.emplace_back("Mayfly-Partition", *arguments.partition);
  for (const auto& attribute : arguments.attributes) {
    const auto equals = attribute.find('=');
    const auto name = attribute.substr(0, equals);
    const bool good = equals != std::string::npos && !name.empty() &&
                      name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789") == std::string::npos;
    if (!good)
      return fail(
          CliErrc::usage,
          "--attr " + attribute + ": must be NAME=VALUE, the name of lower-case letters and digits alone");
    headers.emplace_back("ce-" + name, as_header(attribute.substr(equals + 1)));
  }
  return headers;
}

Result<int> publish(Context& context, const TopicArguments& arguments) {
  if (arguments.data && arguments.names.size() > 1)
    return fail(CliErrc::usage, "the body is given twice: as an argument and with --body");
  auto body = read_value(arguments.data.value_or(arguments.names.size() > 1 ? arguments.names[1] : ""));
  if (!body) return propagate(body);
  auto headers = headers_of(arguments, *body);
  if (!headers) return propagate(headers);
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  const auto sent = client->send({.method = "POST",
                                  .target = target_of(arguments.names[0]) + "/events",
                                  .headers = std::move(*headers),
                                  .body = std::move(*body)});
  if (!sent) return std::unexpected(sent.error());
  const auto answer = parse_answer(*sent);
  if (!answer) return std::unexpected(answer.error());
  if (context.json) {
    context.out.line(answer->dump(2));
    return kOk;
  }
  for (const auto& event : answer->value("events", json::array()))
    context.out.line(event.is_string() ? event.get<std::string>() : event.value("event", event.dump()));
  return kOk;
}

std::string number(const json& queue, const char* member) {
  return std::to_string(queue.value(member, std::uint64_t{0}));
}

Result<int> list(Context& context, const DaemonClient& client, bool only_names) {
  const auto answer = client.get("/v1/topics");
  if (!answer) return std::unexpected(answer.error());
  if (context.json) {
    context.out.line(answer->dump(2));
    return kOk;
  }
  Table table({"TOPIC", "SUBSCRIBER", "QUEUE", "BACKLOG", "WAITING", "RUNNING", "DEAD LETTERS"});
  for (const auto& topic : answer->at("topics")) {
    auto name = topic.value("topic", "");
    if (only_names) context.out.line(name);
    const auto& subscriptions = topic.at("subscriptions");
    if (subscriptions.empty()) table.row({context.out.paint(Style::bold, name), "-"});
    for (const auto& queue : subscriptions)
      table.row({context.out.paint(Style::bold, std::exchange(name, "")), queue.value("function", ""),
                 short_queue(queue.value("queue", "")), number(queue, "backlog"), number(queue, "waiting"),
                 number(queue, "running"), number(queue, "dead_letters")});
  }
  if (only_names) return kOk;
  if (table.empty())
    context.out.line(
        "no topics: `mayfly topic create NAME` makes one, and so does a function that subscribes");
  else
    context.out.write(table.text(context.out));
  return kOk;
}

Result<int> topic(Context& context, const TopicArguments& arguments) {
  auto checked = check_action("topic", kActions, arguments.action, arguments.names);
  if (!checked) return propagate(checked);
  if (arguments.open && arguments.closed) return fail(CliErrc::usage, "a topic is either --open or --closed");
  if (arguments.action == "publish") return publish(context, arguments);
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  if (arguments.action == "list") return list(context, *client, arguments.only_names);
  const auto& name = arguments.names.front();
  json wish = json::object();
  if (arguments.open || arguments.closed) wish["open"] = arguments.open;
  const auto sent = client->send({.method = "PUT",
                                  .target = target_of(name),
                                  .headers = {{"Content-Type", "application/json"}},
                                  .body = wish.dump()});
  if (!sent) return std::unexpected(sent.error());
  const auto answer = parse_answer(*sent);
  if (!answer) return std::unexpected(answer.error());
  if (context.json)
    context.out.line(answer->dump(2));
  else
    context.out.line(name + (sent->status == 201 ? " is made" : " was there already") +
                     (answer->value("open", false) ? "; everybody may publish to it" : ""));
  return kOk;
}

}  // namespace

Verb topic_verb() {
  auto a = std::make_shared<TopicArguments>();
  return {
      .name = "topic",
      .summary = "List and make topics, publish events",
      .description =
          "A topic hands each event to every function that subscribes to it. It is made by `create`, or by "
          "the first "
          "function that subscribes. `publish` prints the ids of the events that were accepted: they are on "
          "disk then. "
          "BODY is the event's data, whatever its bytes; a whole CloudEvent, or a batch, is sent with "
          "--content-type "
          "application/cloudevents+json or application/cloudevents-batch+json.",
      .examples = {"mayfly topic create orders",
                   "mayfly topic publish orders '{\"id\": 7}' --type order.placed",
                   "mayfly topic publish images -b @cat.png --content-type image/png --subject cat",
                   "mayfly topic publish orders @order.json --partition customer-7 --attr region=eu"},
      .arguments = {{"action", "ACTION", "list, create or publish", &a->action, ValueKind::topic_action,
                     true},
                    {"name", "TOPIC", "The topic; then the body: @FILE takes a file's, - standard input",
                     &a->names, ValueKind::topic},
                    {"-b,--body", "BODY", "publish: the body as an option", &a->data},
                    {"--type", "TYPE", "publish: what kind of event it is (mayfly.published)", &a->type},
                    {"--source", "URI", "publish: where it comes from (/topics/TOPIC)", &a->source},
                    {"--subject", "TEXT", "publish: what it is about", &a->subject},
                    {"--id", "ID", "publish: its id (a random one)", &a->id},
                    {"--attr", "NAME=VALUE", "publish: another attribute; may be repeated", &a->attributes},
                    {"--partition", "KEY",
                     "publish: those with the same key are delivered in order where a function asks for it",
                     &a->partition},
                    {"--content-type", "TYPE", "publish: of the body (JSON, text or bytes, as it looks)",
                     &a->content_type},
                    {"--open", "", "create: everybody may publish to it by POST /topics/TOPIC", &a->open},
                    {"--closed", "", "create: or only who has a key for it (the default)", &a->closed},
                    {"--names", "", "list: print the names only, one a line", &a->only_names}},
      .run = [a](Context& context) { return topic(context, *a); }};
}

}  // namespace mayfly::cli
