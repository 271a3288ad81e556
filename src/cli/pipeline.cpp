#include <array>
#include <nlohmann/json.hpp>

#include "cli/actions.h"
#include "cli/daemon_client.h"
#include "cli/error.h"
#include "cli/input.h"
#include "cli/pipeline_view.h"
#include "cli/verbs.h"

namespace mayfly::cli {

using nlohmann::json;

namespace {

struct PipelineArguments {
  std::string action;
  std::vector<std::string> names;
  std::optional<std::string> body, key, state, before, limit;
  bool values = false;
  bool only_names = false;
};

constexpr std::array kActions{
    Action{"list", "", 0, 0},     Action{"start", "PIPELINE [INPUT]", 1, 2}, Action{"runs", "PIPELINE", 1, 1},
    Action{"show", "RUN", 1, 1},  Action{"send", "RUN EVENT [BODY]", 2, 3},  Action{"cancel", "RUN", 1, 1},
    Action{"retry", "RUN", 1, 1}, Action{"delete", "PIPELINE", 1, 1}};

std::string pipeline_target(const std::string& name, const std::string& rest = "") {
  return "/v1/pipelines/" + percent_encode(name) + rest;
}

std::string run_target(const std::string& run, const std::string& rest = "") {
  return "/v1/runs/" + percent_encode(run) + rest;
}

Result<int> list(Context& context, const DaemonClient& client, bool only_names) {
  const auto answer = client.get("/v1/pipelines");
  if (!answer) return std::unexpected(answer.error());
  if (context.json) {
    context.out.line(answer->dump(2));
    return kOk;
  }
  Table table({"PIPELINE", "REVISION", "STEPS", "STARTED BY", "URL"});
  for (const auto& pipeline : answer->at("pipelines")) {
    const auto name = pipeline.value("pipeline", "");
    if (only_names) context.out.line(name);
    table.row({context.out.paint(Style::bold, name), std::to_string(pipeline.value("revision", 0)),
               step_names(pipeline), triggers_of(pipeline),
               context.out.paint(Style::cyan, pipeline.value("url", ""))});
  }
  if (only_names) return kOk;
  if (table.empty())
    context.out.line(
        "no pipelines: [pipelines.NAME] in mayfly.toml declares one, `mayfly deploy` brings it here");
  else
    context.out.write(table.text(context.out));
  return kOk;
}

/// What was meant as JSON is not sent as text.
bool json_is_broken(const std::string& body) {
  const auto first = body.find_first_not_of(" \t\r\n");
  return first != std::string::npos && std::string_view("{[\"").contains(body[first]) && !json::accept(body);
}

/// The value of an argument that may stand behind the names or after --body; "" if it is not given.
Result<std::string> body_of(const PipelineArguments& arguments, std::size_t names) {
  const bool behind = arguments.names.size() > names;
  if (behind && arguments.body)
    return fail(CliErrc::usage, "the body is given twice: as an argument and with --body");
  auto body = read_value(arguments.body.value_or(behind ? arguments.names[names] : ""));
  if (body && json_is_broken(*body))
    return fail(
        CliErrc::usage,
        "this begins like JSON and is none: mend it, or put it in quotes as JSON if it is meant as text");
  return body;
}

Result<json> send(const DaemonClient& client, const std::string& target, std::string body,
                  HeaderList headers = {}) {
  headers.emplace_back("Content-Type", json::accept(body) ? "application/json" : "text/plain; charset=utf-8");
  const auto sent = client.send(
      {.method = "POST", .target = target, .headers = std::move(headers), .body = std::move(body)});
  if (!sent) return std::unexpected(sent.error());
  return parse_answer(*sent);
}

Result<int> start(Context& context, const DaemonClient& client, const PipelineArguments& arguments) {
  auto input = body_of(arguments, 1);
  if (!input) return propagate(input);
  HeaderList headers;
  if (arguments.key) headers.emplace_back("Idempotency-Key", *arguments.key);
  const auto answer =
      send(client, pipeline_target(arguments.names[0], "/runs"), std::move(*input), std::move(headers));
  if (!answer) return std::unexpected(answer.error());
  context.out.line(context.json ? answer->dump(2) : answer->value("run", ""));
  return kOk;
}

Result<int> runs(Context& context, const DaemonClient& client, const PipelineArguments& arguments) {
  std::string query;
  const auto add = [&](const char* name, const std::optional<std::string>& value) {
    if (value) query += (query.empty() ? "?" : "&") + std::string(name) + "=" + percent_encode(*value);
  };
  add("state", arguments.state);
  add("before", arguments.before);
  add("limit", arguments.limit);
  const auto answer = client.get(pipeline_target(arguments.names[0], "/runs" + query));
  if (!answer) return std::unexpected(answer.error());
  if (context.json)
    context.out.line(answer->dump(2));
  else
    context.out.write(run_table(*answer, context.out));
  return kOk;
}

Result<int> show(Context& context, const DaemonClient& client, const PipelineArguments& arguments) {
  const auto answer =
      client.get(run_target(arguments.names[0], arguments.values || context.json ? "?data=true" : ""));
  if (!answer) return std::unexpected(answer.error());
  if (context.json)
    context.out.line(answer->dump(2));
  else
    context.out.write(show_run(*answer, context.out));
  return kOk;
}

Result<int> change(Context& context, const Result<json>& answer, const std::string& said) {
  if (!answer) return std::unexpected(answer.error());
  context.out.line(context.json ? answer->dump(2) : said);
  return kOk;
}

Result<int> pipeline(Context& context, const PipelineArguments& arguments) {
  auto checked = check_action("pipeline", kActions, arguments.action, arguments.names);
  if (!checked) return propagate(checked);
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  const auto& action = arguments.action;
  if (action == "list") return list(context, *client, arguments.only_names);
  if (action == "start") return start(context, *client, arguments);
  if (action == "runs") return runs(context, *client, arguments);
  if (action == "show") return show(context, *client, arguments);
  const auto& name = arguments.names.front();
  if (action == "cancel")
    return change(context, send(*client, run_target(name, "/cancel"), ""),
                  "is cancelled; what it has done is being undone");
  if (action == "retry")
    return change(context, send(*client, run_target(name, "/retry"), ""), "goes on at the step that failed");
  if (action == "delete") {
    const auto sent = client->send({.method = "DELETE", .target = pipeline_target(name)});
    if (!sent) return std::unexpected(sent.error());
    if (!context.json) context.out.line(name + " is deleted");
    return kOk;
  }
  auto body = body_of(arguments, 2);
  if (!body) return propagate(body);
  return change(
      context,
      send(*client, run_target(name, "/events/" + percent_encode(arguments.names[1])), std::move(*body)),
      "sent");
}

}  // namespace

Verb pipeline_verb() {
  auto a = std::make_shared<PipelineArguments>();
  return {
      .name = "pipeline",
      .summary = "Start pipelines, see where their runs stand",
      .description =
          "A pipeline is a list of steps, each a function, that a run goes through; [pipelines.NAME] in "
          "mayfly.toml declares it. Each step's input and output are on disk: a run that a crash interrupted "
          "goes on at the step where it was.\n\n"
          "`start` prints the id of the run. `show` draws where it stands. `send` gives it an event that a "
          "step waits for. `cancel` ends it, and undoes what it has done. `retry` goes on with a failed "
          "one at the step that failed.",
      .examples = {"mayfly pipeline start signup '{\"email\": \"ada@example.org\"}'",
                   "mayfly pipeline runs signup --state failed", "mayfly pipeline show 0a1b…",
                   "mayfly pipeline send 0a1b… verify '{\"code\": \"123456\"}'"},
      .arguments =
          {{"action", "ACTION", "list, start, runs, show, send, cancel, retry or delete", &a->action,
            ValueKind::pipeline_action, true},
           {"name", "NAME",
            "The pipeline, or the run's id; then the event's name, and the body: @FILE takes a file's, - "
            "standard input",
            &a->names, ValueKind::pipeline},
           {"-b,--body", "BODY", "start: the input; send: the body", &a->body},
           {"--idempotency-key", "KEY", "start: the same key gives the same run", &a->key},
           {"--values", "", "show: with inputs and outputs", &a->values},
           {"--state", "STATE", "runs: running, compensating, succeeded, failed or cancelled", &a->state},
           {"--before", "RUN",
            "runs: only those that were started before this one, or what a list names for more", &a->before},
           {"--limit", "COUNT", "runs: so many at most (20)", &a->limit},
           {"--names", "", "list: print the names only, one a line", &a->only_names}},
      .run = [a](Context& context) { return pipeline(context, *a); }};
}

}  // namespace mayfly::cli
