#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/daemon_client.h"
#include "cli/input.h"
#include "cli/usage_view.h"
#include "cli/verbs.h"

namespace mayfly::cli {

using nlohmann::json;

namespace {

/// A JSON value as a cell: strings without quotes.
std::string cell(const json& value) {
  return value.is_string() ? printable(value.get<std::string>()) : value.dump();
}

bool says_something(const json& value) {
  if (value.is_string()) return !value.get_ref<const std::string&>().empty();
  return !value.is_null() && !(value.is_structured() && value.empty());
}

void print_pairs(Context& context, const std::string& title, const json& object) {
  std::string text;
  std::size_t width = 0;
  for (const auto& [key, value] : object.items()) width = std::max(width, key.size());
  for (const auto& [key, value] : object.items())
    if (says_something(value))
      text += "  " + context.out.paint(Style::dim, key) + std::string(width - key.size() + 2, ' ') +
              cell(value) + "\n";
  if (!text.empty()) context.out.write("\n" + context.out.paint(Style::bold, title) + "\n" + text);
}

/// "attempts 5, backoff 1s": an object's members, without some.
std::string in_words(const json& object, std::initializer_list<std::string_view> without) {
  std::string text;
  for (const auto& [key, value] : object.items())
    if (std::ranges::find(without, key) == without.end())
      text += (text.empty() ? "" : ", ") + printable(key) + " " + cell(value);
  return text;
}

/// "type: image.*, !image.deleted; source: /cam/1"
std::string filter_in_words(const json& filter) {
  std::string text;
  for (const auto& [attribute, patterns] : filter.items()) {
    text += (text.empty() ? "" : "; ") + printable(attribute) + ":";
    for (const auto& pattern : patterns) text += (text.ends_with(':') ? " " : ", ") + cell(pattern);
  }
  return text;
}

void print_triggers(Context& context, const json& triggers) {
  Table table({"TRIGGER", "WHICH", "DELIVERY"});
  for (const auto& trigger : triggers) {
    const bool topic = trigger.contains("topic");
    table.row({topic ? "topic " + cell(trigger.at("topic"))
                     : "schedule " + cell(trigger.value("schedule", json(""))),
               topic ? filter_in_words(trigger.value("filter", json::object()))
                     : cell(trigger.value("timezone", json(""))),
               in_words(trigger, {"topic", "schedule", "timezone", "filter", "payload"})});
  }
  if (!table.empty()) context.out.write("\n" + table.text(context.out));
}

/// What keeps a function within its bounds, and of what each is one.
struct Limit {
  const char* key;
  const char* of;
  const char* unset;  ///< what is said without one; null: it always is there
};
constexpr std::array<Limit, 13> kLimits{{
    {"timeout", "an invocation, waiting included", nullptr},
    {"memory", "an instance", nullptr},
    {"cpu", "all instances, in cores", "no limit, equal shares"},
    {"processes", "an instance, threads included", nullptr},
    {"open_files", "a process", nullptr},
    {"tmp", "an instance's /tmp", nullptr},
    {"max_request", "a request's body", nullptr},
    {"max_response", "an answer's body", nullptr},
    {"log_rate", "log a second", nullptr},
    {"concurrency", "invocations at once in an instance", "by the form of the handler"},
    {"max_instances", "instances", nullptr},
    {"queue", "invocations that wait", nullptr},
    {"rate_limit", "calls", "no limit"},
}};

void print_limits(Context& context, const json& config) {
  Table table({"LIMIT", "VALUE", "OF"});
  for (const auto& limit : kLimits) {
    const auto found = config.find(limit.key);
    if (found != config.end())
      table.row({limit.key, cell(*found), limit.of});
    else if (limit.unset != nullptr && !config.contains("upstream"))
      table.row({limit.key, "-", std::string(limit.of) + ": " + limit.unset});
  }
  context.out.write("\n" + context.out.paint(Style::bold, "Limits") + "\n" + table.text(context.out));
}

/// All but its limits.
void print_configuration(Context& context, json config) {
  for (const auto& limit : kLimits) config.erase(limit.key);
  const auto triggers = config.value("on", json::array());
  config.erase("on");
  if (const auto found = config.find("async"); found != config.end()) *found = in_words(*found, {});
  print_pairs(context, "Configuration", config);
  print_triggers(context, triggers);
}

void print_versions(Context& context, const json& versions) {
  Table table({"VERSION", "WEIGHT", "DEPLOYED", "ENTRY", "ALIASES"});
  for (const auto& version : versions) {
    std::string aliases;
    for (const auto& alias : version.at("aliases")) aliases += (aliases.empty() ? "" : ", ") + cell(alias);
    table.row({cell(version.at("version")), cell(version.at("weight")),
               short_time(version.value("created", "")), version.value("entry", ""), aliases});
  }
  context.out.write("\n" + context.out.paint(Style::bold, "Versions") + "\n" + table.text(context.out));
}

std::string size_of_one(const json& object) {
  const auto bytes = object.value("memory_bytes", std::uint64_t{0});
  return bytes == 0 ? "" : fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1U << 20U));
}

/// When what is idle ends by itself: "in 12m".
std::string end_of(const json& object) {
  const auto found = object.find("ends_in_s");
  if (found == object.end()) return "";
  const auto seconds = found->get<std::int64_t>();
  return seconds < 120 ? fmt::format("in {}s", seconds) : fmt::format("in {}m", seconds / 60);
}

constexpr const char* kHeldBack =
    "held back: instances were ended for a limit again and again, and it gets what others leave of the CPU";

void print_templates(Context& context, const json& templates) {
  Table table({"TEMPLATE", "STATE", "MEMORY", "ENDS", "INSTANCES", "EACH", "ONE ENDS", "WHY"});
  for (const auto& each : templates) {
    const auto instances = each.value("instances", json::object());
    auto why = each.value("reason", "");
    if (each.value("limits", json::object()).value("held_back", false))
      why += std::string(why.empty() ? "" : "; ") + kHeldBack;
    table.row({each.contains("version") ? "@" + cell(each.at("version")) : "", each.value("state", ""),
               size_of_one(each), end_of(each), std::to_string(instances.value("count", 0)),
               size_of_one(instances), end_of(instances), printable(why)});
  }
  if (!table.empty()) context.out.write("\n" + table.text(context.out));
}

/// The last lines of log of a failure, as far as a screen has room for them.
void print_last_words(Context& context, const json& failure) {
  constexpr std::size_t kLines = 3;
  constexpr std::size_t kWidth = 120;
  const auto lines = failure.value("logs", json::array());
  for (std::size_t i = lines.size() - std::min(lines.size(), kLines); i < lines.size(); ++i) {
    auto text = printable(lines[i].get<std::string>());
    if (text.size() > kWidth) text = std::string(beginning_of(text, kWidth)) + "…";
    context.out.line(context.out.paint(Style::dim, "    | ") + text);
  }
}

void print_failures(Context& context, const std::string& name, const json& failures) {
  if (failures.empty()) return;
  constexpr int kWithLog = 3;
  int shown = 0;
  context.out.write("\n" + context.out.paint(Style::bold, "Last failures") + "\n");
  for (const auto& failure : failures) {
    context.out.line("  " + short_time(failure.value("time", "")) + "  " +
                     context.out.paint(Style::red, failure.value("type", "")) + "  " +
                     printable(failure.value("message", "")));
    if (++shown <= kWithLog) print_last_words(context, failure);
    if (const auto id = failure.value("invocation", ""); !id.empty())
      context.out.line(context.out.paint(Style::dim, "    mayfly logs " + name + " --invocation " + id));
  }
}

/// What this host does not give, each with its reason.
void print_missing(Context& context, const char* title, const json& all) {
  for (const auto& missing : all)
    context.out.line("\n" + context.out.paint(Style::yellow, title) + printable(missing.get<std::string>()));
}

void print_live(Context& context, const std::string& name, const json& live) {
  json figures = json::object();
  for (const auto& [key, value] : live.items()) {
    if (key == "invocations" && value.is_object())
      for (const auto& [kind, count] : value.items()) figures[kind] = count;
    else if (key == "refused" && value.is_object())
      for (const auto& [reason, count] : value.items()) figures["refused, " + reason] = count;
    else if (!value.is_array())
      figures[key] = value;
  }
  print_pairs(context, "Now", figures);
  if (const auto found = live.find("templates"); found != live.end()) print_templates(context, *found);
  print_missing(context, "Sandbox: ", live.value("sandbox_missing", json::array()));
  print_missing(context, "Limits: ", live.value("limits_missing", json::array()));
  if (const auto found = live.find("failures"); found != live.end()) print_failures(context, name, *found);
}

Result<int> describe(Context& context, const std::string& name) {
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  auto answer = client->get(function_target(name));
  if (!answer) return propagate(answer);
  if (context.json) {
    context.out.line(answer->dump(2));
    return 0;
  }
  const auto& function = *answer;
  context.out.line(context.out.paint(Style::bold, function.value("address", name)) + "  " +
                   function.value("url", ""));
  print_versions(context, function.at("versions"));
  print_limits(context, function.at("config"));
  print_configuration(context, function.at("config"));
  print_live(context, function.value("name", ""), function.value("live", json::object()));
  const auto budgets = budget_table(function.value("budgets", json::array()), context.out);
  if (!budgets.empty()) context.out.write("\n" + budgets);
  return 0;
}

}  // namespace

Verb describe_verb() {
  auto name = std::make_shared<std::string>();
  return {
      .name = "describe",
      .summary = "Show all that is known of a function",
      .description =
          "Versions, limits and other configuration, what it does now (instances, queue, templates), and its "
          "last failures with their reasons and, of the newest, their last lines of log.",
      .examples = {"mayfly describe hello"},
      .arguments = {{"name", "NAME", "The function", name.get(), ValueKind::function, true}},
      .run = [name](Context& context) { return describe(context, *name); }};
}

}  // namespace mayfly::cli
