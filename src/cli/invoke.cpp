#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "cli/daemon_client.h"
#include "cli/error.h"
#include "cli/input.h"
#include "cli/later_answer.h"
#include "cli/log_view.h"
#include "cli/verbs.h"

namespace mayfly::cli {

using nlohmann::json;

namespace {

struct InvokeArguments {
  std::string name;
  std::string payload;
  std::optional<std::string> data;
  std::optional<std::string> method;
  std::optional<std::string> path;
  std::vector<std::string> headers;
  bool event = false;
  bool quiet = false;
  bool async = false;
  bool wait = false;
  std::optional<std::string> timeout;
  std::optional<std::string> key;
  std::optional<std::string> callback;
};

Result<HttpRequest> request_of(const InvokeArguments& arguments) {
  if (arguments.data && !arguments.payload.empty())
    return fail(CliErrc::usage, "the payload is given twice: as an argument and with --data");
  HttpRequest request{.method = "POST", .target = function_target(arguments.name, "/invocations")};
  char separator = '?';
  const auto add = [&](const std::string& key, const std::string& value) {
    request.target += separator + key + "=" + percent_encode(value);
    separator = '&';
  };
  if (arguments.method) add("method", *arguments.method);
  if (arguments.path) add("path", *arguments.path);
  if (arguments.event) add("event", "1");
  bool has_type = false;
  for (const auto& header : arguments.headers) {
    const auto colon = header.find(':');
    if (colon == std::string::npos || colon == 0)
      return fail(CliErrc::usage, "'" + header + "' is not a header, for example -H 'Accept: text/plain'");
    const auto name = header.substr(0, colon);
    const auto value = header.find_first_not_of(' ', colon + 1);
    request.headers.emplace_back(name, value == std::string::npos ? "" : header.substr(value));
    has_type = has_type || name == "Content-Type" || name == "content-type";
  }
  auto body = read_value(arguments.data.value_or(arguments.payload));
  if (!body) return propagate(body);
  request.body = std::move(*body);
  if (!request.body.empty() && !has_type)
    request.headers.emplace_back("Content-Type",
                                 json::accept(request.body) ? "application/json" : "text/plain");
  return request;
}

/// What the function logged for this invocation; nothing if that cannot be had.
void print_logs(Context& context, const DaemonClient& client, const std::string& address,
                std::string_view id) {
  if (id.empty()) return;
  const auto name = split_address(address).first;
  auto logs =
      client.send({.target = function_target(name, "/logs?tail=100&invocation=" + percent_encode(id))});
  if (!logs) return;
  std::string_view rest = logs->body;
  while (!rest.empty()) {
    const auto end = std::min(rest.find('\n'), rest.size());
    if (end > 0) context.err.line(show_log_line(rest.substr(0, end), context.err));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

void print_answer(Context& context, const HttpAnswer& answer) {
  if (context.json) {
    json headers = json::array();
    for (const auto& [name, value] : answer.headers) headers.push_back({name, value});
    const json body = json::accept(answer.body) ? json::parse(answer.body) : json(answer.body);
    const json all = {{"status", answer.status}, {"headers", headers}, {"body", body}};
    context.out.line(all.dump(2, ' ', false, json::error_handler_t::replace));
    return;
  }
  context.out.write(answer.body);
  if (context.out.is_terminal() && !answer.body.empty() && !answer.body.ends_with('\n'))
    context.out.write("\n");
}

Result<void> check_async(const InvokeArguments& arguments) {
  if (arguments.async) return {};
  const auto* const option = arguments.wait       ? "--wait"
                             : arguments.timeout  ? "--timeout"
                             : arguments.key      ? "--idempotency-key"
                             : arguments.callback ? "--callback"
                                                  : nullptr;
  if (option == nullptr) return {};
  return fail(CliErrc::usage,
              std::string(option) + " is for --async: without it the answer is waited for anyway");
}

/// Prints the id when it is accepted; with --wait the answer, when there is one.
Result<int> invoke_async(Context& context, const InvokeArguments& arguments, HttpRequest request) {
  auto patience = wait_time(arguments.timeout);
  if (!patience) return propagate(patience);
  request.headers.emplace_back("Prefer", "respond-async");
  if (arguments.key) request.headers.emplace_back("Idempotency-Key", *arguments.key);
  if (arguments.callback) request.headers.emplace_back("Mayfly-Callback", *arguments.callback);
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  auto sent = client->send(std::move(request));
  if (!sent) return propagate(sent);
  const auto accepted = parse_answer(*sent);
  if (!accepted) return std::unexpected(accepted.error());
  const auto id = accepted->value("invocation", "");
  if (arguments.wait || arguments.timeout)
    return print_answer_of(context, *client, id, *patience, arguments.quiet);
  context.out.line(context.json ? accepted->dump(2) : id);
  return kOk;
}

Result<int> invoke(Context& context, const InvokeArguments& arguments) {
  auto checked = check_async(arguments);
  if (!checked) return propagate(checked);
  auto request = request_of(arguments);
  if (!request) return propagate(request);
  if (arguments.async) return invoke_async(context, arguments, std::move(*request));
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  const auto began = std::chrono::steady_clock::now();
  Result<HttpAnswer> answer = [&] {
    const Progress progress(context.err, "waiting for " + arguments.name);
    return client->send_to_function(std::move(*request));
  }();
  if (!answer) return propagate(answer);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - began;
  const bool good = answer->status < 400;
  print_answer(context, *answer);
  if (!arguments.quiet) {
    const auto id = answer->header("Mayfly-Invocation");
    print_logs(context, *client, arguments.name, id);
    context.err.line(
        context.err.paint(good ? Style::green : Style::red, std::to_string(answer->status)) +
        context.err.paint(Style::dim, fmt::format("  {:.1f} ms  {}", took.count(), printable(id))));
  }
  return good ? kOk : kFailed;
}

}  // namespace

Verb invoke_verb() {
  auto arguments = std::make_shared<InvokeArguments>();
  return {
      .name = "invoke",
      .summary = "Call a function once",
      .description =
          "The answer's body goes to standard output; its status, log lines and errors go to standard error. "
          "The payload is the event of a Lambda handler; any other handler gets it as the body of POST /. "
          "With --method or --path every handler gets an HTTP request.\n\n"
          "NAME may be an address: hello@3, or hello@stable for an alias.\n\n"
          "With --async the call is accepted and delivered later, again and again until it succeeds or is "
          "given up; "
          "its id is printed when it is on disk. `mayfly invocation` looks at it; --wait waits for its "
          "answer. --callback has it sent to a URL, signed; `mayfly callback` tells the secret.",
      .examples =
          {"mayfly invoke hello", "mayfly invoke hello '{\"name\": \"Ada\"}'",
           "mayfly invoke shop --path /cart?id=7 --method GET", "mayfly invoke hello -d @event.json",
           "date | mayfly invoke hello -d -", "mayfly invoke report '{\"month\": 5}' --async",
           "mayfly invoke pay @order.json --async --idempotency-key order-7 --wait",
           "mayfly invoke report '{\"month\": 5}' --async --callback https://hooks.example.com/report"},
      .arguments =
          {{"name", "NAME", "The function, or an address of it", &arguments->name, ValueKind::function, true},
           {"payload", "PAYLOAD", "The payload; @FILE takes a file's, - standard input", &arguments->payload},
           {"-d,--data", "PAYLOAD", "The same as an option", &arguments->data},
           {"-X,--method", "METHOD", "The method of the request", &arguments->method},
           {"--path", "PATH", "Path and query of the request", &arguments->path},
           {"-H,--header", "'NAME: VALUE'", "A header of the request; may be repeated", &arguments->headers},
           {"--event", "", "The payload is an event even with --method or --path", &arguments->event},
           {"--async", "", "Do not wait: print the invocation's id", &arguments->async},
           {"--wait", "", "With --async: wait for its end, and print the answer", &arguments->wait},
           {"--timeout", "TIME", "With --async: for how long to wait, as in 30s or 10m (5m)",
            &arguments->timeout},
           {"--idempotency-key", "KEY", "With --async: the same key again is the same invocation",
            &arguments->key},
           {"--callback", "URL", "With --async: the result is sent there when it has ended",
            &arguments->callback},
           {"-q,--quiet", "", "Print the body only", &arguments->quiet}},
      .run = [arguments](Context& context) { return invoke(context, *arguments); }};
}

}  // namespace mayfly::cli
