#include <nlohmann/json.hpp>

#include "cli/daemon_client.h"
#include "cli/log_view.h"
#include "cli/verbs.h"

namespace mayfly::cli {
namespace {

struct LogsArguments {
  std::string name;
  bool follow = false;
  unsigned tail = 100;
  std::string invocation;
};

Result<int> logs(Context& context, const LogsArguments& arguments) {
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  std::string query = "/logs?tail=" + std::to_string(arguments.tail);
  if (arguments.follow) query += "&follow=1";
  if (!arguments.invocation.empty()) query += "&invocation=" + percent_encode(arguments.invocation);
  HttpClient connection(client->url());
  bool any = false;
  auto done = client->lines(
      {.target = function_target(arguments.name, query)},
      [&](std::string_view line) {
        any = true;
        context.out.line(context.json ? std::string(line) : show_log_line(line, context.out));
        return true;
      },
      connection);
  if (!done) return propagate(done);
  if (!any && !arguments.invocation.empty())
    context.err.line("the log of " + arguments.name + " has no line of an invocation " +
                     arguments.invocation);
  return 0;
}

}  // namespace

Verb logs_verb() {
  auto arguments = std::make_shared<LogsArguments>();
  return {.name = "logs",
          .summary = "Show a function's log",
          .description =
              "The newest lines, oldest of them first; with -f also what comes from now on, until Ctrl-C.",
          .examples = {"mayfly logs hello -f", "mayfly logs hello --tail 1000 --json",
                       "mayfly logs hello --invocation 5f0c9a1e"},
          .arguments =
              {{"name", "NAME", "The function", &arguments->name, ValueKind::function, true},
               {"-f,--follow", "", "Go on with new lines", &arguments->follow},
               {"-n,--tail", "LINES", "How many lines, at most 10000 (100)", &arguments->tail},
               {"--invocation", "ID",
                "Only the lines of this invocation: its id, or how that ends (eight characters, as shown)",
                &arguments->invocation}},
          .run = [arguments](Context& context) { return logs(context, *arguments); }};
}

}  // namespace mayfly::cli
