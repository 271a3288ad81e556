#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/advice_view.h"
#include "cli/confirm.h"
#include "cli/daemon_client.h"
#include "cli/error.h"
#include "cli/http_client.h"
#include "cli/input.h"
#include "cli/toml_edit.h"
#include "cli/verbs.h"

namespace mayfly::cli {

using nlohmann::json;

namespace {

struct AdviseArguments {
  std::string function;
  std::string project = ".";
  std::string rule;
  bool apply = false;
  bool yes = false;
};

/// What the findings change, by key: the first one that says something of a key.
std::map<std::string, TomlChange> changes_of(const json& function, const AdviseArguments& arguments) {
  std::map<std::string, TomlChange> changes;
  for (const auto& finding : function.at("findings")) {
    if (!finding.contains("change")) continue;
    if (!arguments.rule.empty() && finding.value("rule", "") != arguments.rule) continue;
    const auto key = finding["change"].value("key", "");
    changes.try_emplace(key, TomlChange{arguments.function, key, finding["change"].value("value", "")});
  }
  return changes;
}

json changes_json(const std::map<std::string, TomlChange>& changes) {
  json result = json::object();
  for (const auto& [key, change] : changes) result[key] = change.value;
  return result;
}

Result<int> apply(Context& context, const json& function, const AdviseArguments& arguments) {
  const auto changes = changes_of(function, arguments);
  const auto file = (std::filesystem::path(arguments.project) / "mayfly.toml").string();
  const auto say = [&](bool written) {
    if (context.json)
      context.out.line(
          json{{"file", file}, {"changes", changes_json(changes)}, {"written", written}}.dump(2));
  };
  if (changes.empty()) {
    context.err.line("there is nothing that a key of mayfly.toml would change");
    say(false);
    return kOk;
  }
  const auto before = read_file(file);
  if (!before) {
    std::string lines;
    for (const auto& [key, change] : changes)
      lines.append("\n  ").append(key).append(" = ").append(change.value);
    return fail(CliErrc::failed, before.error().message +
                                     "\nwhich has its configuration? (--project FOLDER), or "
                                     "write one:\n  [functions." +
                                     arguments.function + "]" + lines);
  }
  auto text = *before;
  for (const auto& [key, change] : changes) {
    auto changed = changed_toml(text, change);
    if (!changed) return propagate(changed);
    text = std::move(*changed);
  }
  if (text == *before) {
    context.err.line(file + " says so already: `mayfly deploy " + arguments.project +
                     "` brings it into service");
    say(false);
    return kOk;
  }
  (context.json ? context.err : context.out).write(line_diff(*before, text, file));
  auto sure = confirmed(context, arguments.yes, "write this into " + file, file + " is to be changed");
  if (!sure) return propagate(sure);
  if (!*sure) {
    context.err.line("nothing was changed");
    return kFailed;
  }
  auto written = replace_file(file, *before, text);
  if (!written) return propagate(written);
  say(true);
  context.err.line(file + " is changed: `mayfly deploy " + arguments.project + "` brings it into service");
  return kOk;
}

Result<int> advise(Context& context, const AdviseArguments& arguments) {
  if (arguments.apply && arguments.function.empty())
    return fail(CliErrc::usage, "--apply changes one function: which one?");
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  const auto answer = client->get(
      "/v1/advice" + (arguments.function.empty() ? "" : "?function=" + percent_encode(arguments.function)));
  if (!answer) return std::unexpected(answer.error());
  if (arguments.apply) return apply(context, answer->at("functions").at(0), arguments);
  if (context.json) {
    context.out.line(answer->dump(2));
    return kOk;
  }
  bool first = true;
  for (const auto& function : answer->at("functions")) {
    if (!first) context.out.line("");
    first = false;
    show_advice(context.out, function, answer->value("currency", ""));
  }
  if (first) context.out.line("no functions");
  return kOk;
}

}  // namespace

Verb advise_verb() {
  auto a = std::make_shared<AdviseArguments>();
  return {
      .name = "advise",
      .summary = "Say from its metered history which form fits a function, and which is cheapest",
      .description =
          "Per request, kept warm, in the background, another isolation, a dataset, one function with those "
          "that "
          "it calls, or no function at all: a long-running service. Each finding has the figures and the "
          "rule "
          "that it follows from, what it has cost and would have cost, and what is not known.\n\n--apply "
          "writes "
          "what it changes into the project's mayfly.toml, after showing it; the rest of the file stays as "
          "it "
          "is.",
      .examples = {"mayfly advise", "mayfly advise report", "mayfly advise report --apply --project ./shop"},
      .arguments = {{"function", "FUNCTION", "Of this one; else of all", &a->function, ValueKind::function},
                    {"--apply", "", "Change mayfly.toml as advised", &a->apply},
                    {"--rule", "RULE", "With --apply: only what this rule advises", &a->rule},
                    {"--project", "FOLDER", "Where mayfly.toml is; else here", &a->project, ValueKind::path},
                    {"-y,--yes", "", "Do not ask", &a->yes}},
      .run = [a](Context& context) { return advise(context, *a); }};
}

}  // namespace mayfly::cli
