#include "pipelines/definition.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "base/json_depth.h"
#include "base/text.h"
#include "pipelines/input.h"
#include "pipelines/step_keys.h"
#include "pipelines/value.h"
#include "registry/key_table.h"
#include "registry/name.h"
#include "registry/trigger_json.h"
#include "registry/trigger_keys.h"

namespace mayfly::pipelines {

using namespace std::chrono_literals;
using nlohmann::json;
using registry::bad_value;
using registry::RegistryErrc;

namespace {

constexpr std::array<std::string_view, 4> kKeys{"access", "keep", "on", "steps"};
constexpr auto kKeepLeast = 1min;
constexpr auto kKeepMost = 90 * 24h;

Result<void> read_access(Definition& definition, const json& value) {
  if (value != "key" && value != "public") return bad_value("access", "\"key\" or \"public\"", "");
  definition.access = value == "public" ? Access::everyone : Access::key;
  return {};
}

Result<void> read_keep(Definition& definition, const json& value) {
  const auto time = value.is_string() ? parse_duration(value.get_ref<const std::string&>()) : std::nullopt;
  if (!time || *time < kKeepLeast || *time > kKeepMost)
    return bad_value("keep", "1m to 90d, like \"14d\"", "");
  definition.keep = *time;
  return {};
}

Result<void> read_on(Definition& definition, const json& list) {
  const bool tables =
      list.is_array() && std::ranges::all_of(list, [](const json& one) { return one.is_object(); });
  if (!tables) return bad_key("on", "on: write [[pipelines.NAME.on]]");
  registry::FunctionConfig read;
  if (auto done = registry::read_triggers(read, list); !done) return done;
  for (const auto& trigger : read.on) {
    const auto* topic = std::get_if<registry::TopicTrigger>(&trigger.source);
    if (topic != nullptr && topic->batch > 1)
      return bad_key("on.batch", "on.batch: each event starts a run of its own; allowed is 1");
  }
  definition.on = std::move(read.on);
  return {};
}

Result<void> read_steps(Definition& definition, const json& list) {
  if (!list.is_array() || list.empty())
    return bad_key("steps", "steps: a pipeline needs one at least; write [[pipelines.NAME.steps]]");
  if (list.size() > kMaxSteps)
    return bad_key("steps", "steps: at most " + std::to_string(kMaxSteps) + " can be listed");
  std::set<std::string> names;
  for (std::size_t i = 0; i < list.size(); ++i) {
    auto step = read_step(list[i], i + 1);
    if (!step) return propagate(step);
    if (!names.insert(step->name).second)
      return bad_key("steps." + step->name + ".name", "steps: two are called '" + step->name + "'");
    definition.steps.push_back(std::move(*step));
  }
  return {};
}

/// What a path can begin with, and whether the steps that it names are there.
Result<void> check_path(const Definition& definition, const std::string& key, std::string_view text,
                        bool of_item = false) {
  const auto path = Path::parse(text);
  auto checked = path ? check_root(definition, *path, of_item) : Result<void>(std::unexpected(path.error()));
  if (!checked) return bad_key(key, key + ": " + checked.error().message);
  return {};
}

Result<void> check_target(const Definition& definition, const std::string& key, const std::string& target) {
  if (target.empty() || target == kEnd || definition.find(target) != nullptr) return {};
  std::vector<std::string_view> names{kEnd};
  for (const auto& step : definition.steps) names.push_back(step.name);
  return bad_key(key, key + ": there is no step '" + target.substr(0, 80) + "'" +
                          did_you_mean(target, names) + "; allowed is the name of a step, or \"end\"");
}

Result<void> check_targets(const Definition& definition, const Step& step) {
  const auto prefix = prefix_of(step);
  auto checked = check_target(definition, prefix + "next", step.next);
  if (checked) checked = check_target(definition, prefix + "on_error", step.on_error);
  if (checked) checked = check_target(definition, prefix + "default", step.otherwise);
  for (auto one = step.cases.begin(); checked && one != step.cases.end(); ++one)
    checked = check_target(definition, prefix + "cases." + one->first, one->second);
  return checked;
}

Result<void> check_paths(const Definition& definition, const Step& step) {
  const auto prefix = prefix_of(step);
  if (!step.each.empty())
    if (auto checked = check_path(definition, prefix + "each", step.each); !checked) return checked;
  if (!step.branch.empty())
    if (auto checked = check_path(definition, prefix + "branch", step.branch); !checked) return checked;
  for (const auto& path : paths_of(step.input))
    if (auto checked = check_path(definition, prefix + "input", path, !step.each.empty()); !checked)
      return checked;
  return {};
}

Result<json> parse_object(std::string_view text) {
  if (text.size() > kMaxDefinition)
    return bad_key("steps", "a definition has at most " + size_in_words(kMaxDefinition));
  auto object = nests_at_most(text, kMaxDepth) ? json::parse(text, nullptr, false) : json();
  if (!object.is_object()) return bad_key("steps", "a definition is a JSON object with a list of steps");
  return object;
}

Result<Definition> read(std::string_view name, const json& object) {
  if (auto named = check_pipeline_name(name); !named) return propagate(named);
  Definition definition;
  definition.name = name;
  for (const auto& [key, value] : object.items()) {
    Result<void> done;
    if (key == "access")
      done = read_access(definition, value);
    else if (key == "keep")
      done = read_keep(definition, value);
    else if (key == "on")
      done = read_on(definition, value);
    else if (key != "steps")
      done = registry::unknown_key("", key, kKeys);
    if (!done) return propagate(done);
  }
  if (auto done = read_steps(definition, object.value("steps", json())); !done) return propagate(done);
  for (const auto& step : definition.steps) {
    auto checked = check_targets(definition, step);
    if (checked) checked = check_paths(definition, step);
    if (!checked) return propagate(checked);
  }
  return definition;
}

json definition_json(const Definition& definition) {
  json object{{"access", definition.access == Access::everyone ? "public" : "key"},
              {"keep", format_duration(definition.keep)}};
  for (const auto& trigger : definition.on) object["on"].push_back(registry::trigger_to_json(trigger));
  for (const auto& step : definition.steps) object["steps"].push_back(step_json(step));
  return object;
}

std::int64_t take_number(json& object, const char* key) {
  const auto found = object.find(key);
  const auto number = found != object.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
  object.erase(key);
  return number;
}

}  // namespace

std::string_view name_of(Step::Kind kind) {
  switch (kind) {
    case Step::Kind::function:
      return "function";
    case Step::Kind::await:
      return "await";
    case Step::Kind::branch:
      return "branch";
    case Step::Kind::wait:
      return "wait";
  }
  return "unknown";
}

const Step* Definition::find(std::string_view step) const {
  const auto found = std::ranges::find(steps, step, &Step::name);
  return found == steps.end() ? nullptr : &*found;
}

std::string_view Definition::successor(const Step& step) const {
  if (!step.next.empty()) return step.next;
  const auto found = std::ranges::find(steps, step.name, &Step::name);
  return found == steps.end() || found + 1 == steps.end() ? kEnd : std::string_view((found + 1)->name);
}

Result<void> check_pipeline_name(std::string_view name) {
  const auto is_plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  const auto is_inner = [&](char c) { return is_plain(c) || c == '-' || c == '_'; };
  if (!name.empty() && name.size() <= 63 && is_plain(name[0]) && std::ranges::all_of(name, is_inner))
    return {};
  return fail(RegistryErrc::bad_name,
              "'" + std::string(name.substr(0, 80)) +
                  "' cannot be the name of a pipeline: lower-case letters, digits, '-' "
                  "and '_', at most 63, beginning with a letter or digit");
}

bool is_step_name(std::string_view name) {
  const auto is_lower = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto is_inner = [&](char c) { return is_lower(c) || (c >= '0' && c <= '9') || c == '-'; };
  return !name.empty() && name.size() <= 64 && is_lower(name[0]) && std::ranges::all_of(name, is_inner) &&
         name != kEnd;
}

Result<Definition> parse_definition(std::string_view name, std::string_view text) {
  auto object = parse_object(text);
  if (!object) return propagate(object);
  auto definition = read(name, *object);
  if (!definition) return definition;
  for (const auto& trigger : definition->on)
    if (auto checked = registry::check_meaning(trigger); !checked) return propagate(checked);
  return definition;
}

std::string to_json(const Definition& definition) { return text_of(definition_json(definition)); }

std::string to_json(const StoredDefinition& stored) {
  auto object = definition_json(stored.definition);
  object["revision"] = stored.revision;
  object["changed"] = stored.changed;
  return text_of(object);
}

Result<StoredDefinition> stored_definition(std::string_view name, std::string_view text) {
  auto object = json::parse(text, nullptr, false);
  if (!object.is_object()) return bad_key("steps", "the stored definition is damaged");
  StoredDefinition stored;
  stored.revision = take_number(object, "revision");
  stored.changed = take_number(object, "changed");
  auto definition = read(name, object);
  if (!definition) return propagate(definition);
  stored.definition = std::move(*definition);
  return stored;
}

}  // namespace mayfly::pipelines
