#include "pipelines/step_keys.h"

#include <array>
#include <nlohmann/json.hpp>

#include "pipelines/input.h"
#include "registry/delivery_keys.h"
#include "registry/name.h"
#include "registry/trigger_json.h"

namespace mayfly::pipelines {

using namespace std::chrono_literals;
using nlohmann::json;
using registry::ConfigValue;
using registry::refused;
using registry::take_duration;
using KeyKind = registry::Kind;
using Key = registry::KeyOf<Step>;

namespace {

constexpr auto kLongest = 365 * 24h;
constexpr std::size_t kMaxCases = 100;
constexpr std::size_t kMaxCase = 256;  // bytes
constexpr const char* kNameRule =
    "1 to 64 lower-case letters, digits and '-', beginning with a letter; not \"end\"";
constexpr const char* kTarget = "the name of a step, or \"end\"";
constexpr const char* kFunction = "the name of a function, or name@version";
constexpr const char* kPath = "a path like \"$.steps.NAME.field\"";

/// "name", "name@3", "name@alias".
bool is_function(std::string_view text) {
  const auto at = text.find('@');
  if (!registry::check_function_name(text.substr(0, at))) return false;
  if (at == std::string_view::npos) return true;
  const auto reference = text.substr(at + 1);
  const auto number = parse_integer(reference);
  return (number && *number > 0 && *number <= UINT32_MAX) || registry::check_alias(reference).has_value();
}

template <std::string Step::* Field>
Result<void> set_name(Step& step, const ConfigValue& value) {
  const auto& text = std::get<std::string>(value);
  if (!is_step_name(text)) return refused();
  step.*Field = text;
  return {};
}

template <std::string Step::* Field>
Result<void> set_function(Step& step, const ConfigValue& value) {
  const auto& text = std::get<std::string>(value);
  if (!is_function(text)) return refused();
  step.*Field = text;
  return {};
}

/// That there is such a step is seen when all are read.
template <std::string Step::* Field>
Result<void> set_target(Step& step, const ConfigValue& value) {
  const auto& text = std::get<std::string>(value);
  if (text.empty()) return refused();
  step.*Field = text;
  return {};
}

template <std::string Step::* Field>
Result<void> set_path(Step& step, const ConfigValue& value) {
  const auto& text = std::get<std::string>(value);
  if (const auto path = Path::parse(text); !path) return std::unexpected(path.error());
  step.*Field = text;
  return {};
}

Result<void> set_attempt_timeout(Step& step, const ConfigValue& value) {
  return take_duration(value, 1ms, 15min, step.timeout.emplace());
}

Result<void> set_await_timeout(Step& step, const ConfigValue& value) {
  return take_duration(value, 1s, kLongest, step.timeout.emplace());
}

Result<void> set_wait(Step& step, const ConfigValue& value) {
  return take_duration(value, 1ms, kLongest, step.wait);
}

Result<void> set_cases(Step& step, const ConfigValue& value) {
  step.cases = std::get<std::map<std::string, std::string>>(value);
  if (step.cases.empty() || step.cases.size() > kMaxCases) return refused();
  for (const auto& [text, target] : step.cases)
    if (text.size() > kMaxCase || target.empty()) return refused();
  return {};
}

constexpr std::array kFunctionKeys = registry::joined(
    std::array{
        Key{"name", KeyKind::text, kNameRule, set_name<&Step::name>},
        Key{"function", KeyKind::text, kFunction, set_function<&Step::function>},
        Key{"each", KeyKind::text, kPath, set_path<&Step::each>},
        Key{"concurrency", KeyKind::integer, "1 to 1000", registry::set_concurrency<Step>},
        Key{"timeout", KeyKind::text, "1ms to 15m, like \"30s\"", set_attempt_timeout},
        Key{"undo", KeyKind::text, kFunction, set_function<&Step::undo>},
        Key{"on_error", KeyKind::text, kTarget, set_target<&Step::on_error>},
        Key{"next", KeyKind::text, kTarget, set_target<&Step::next>},
    },
    registry::kDeliveryKeys<Step>);
constexpr std::array kAwaitKeys{
    Key{"name", KeyKind::text, kNameRule, set_name<&Step::name>},
    Key{"await", KeyKind::text, "an event's name: 1 to 64 lower-case letters, digits and '-'",
        set_name<&Step::await>},
    Key{"timeout", KeyKind::text, "1s to 365d, like \"1d\"", set_await_timeout},
    Key{"on_error", KeyKind::text, kTarget, set_target<&Step::on_error>},
    Key{"next", KeyKind::text, kTarget, set_target<&Step::next>},
};
constexpr std::array kBranchKeys{
    Key{"name", KeyKind::text, kNameRule, set_name<&Step::name>},
    Key{"branch", KeyKind::text, kPath, set_path<&Step::branch>},
    Key{"cases", KeyKind::table,
        "1 to 100 values with the step that each leads to, like { true = \"go-on\" }", set_cases},
    Key{"default", KeyKind::text, kTarget, set_target<&Step::otherwise>},
    Key{"on_error", KeyKind::text, kTarget, set_target<&Step::on_error>},
};
constexpr std::array kWaitKeys{
    Key{"name", KeyKind::text, kNameRule, set_name<&Step::name>},
    Key{"wait", KeyKind::text, "1ms to 365d, like \"3d\"", set_wait},
    Key{"next", KeyKind::text, kTarget, set_target<&Step::next>},
};

constexpr std::array kKinds{Step::Kind::function, Step::Kind::await, Step::Kind::branch, Step::Kind::wait};

std::span<const Key> keys_of(Step::Kind kind) {
  switch (kind) {
    case Step::Kind::function:
      return kFunctionKeys;
    case Step::Kind::await:
      return kAwaitKeys;
    case Step::Kind::branch:
      return kBranchKeys;
    case Step::Kind::wait:
      return kWaitKeys;
  }
  return {};
}

Result<Step::Kind> kind_of(const json& table, const std::string& prefix) {
  std::optional<Step::Kind> found;
  for (const auto kind : kKinds) {
    if (!table.contains(name_of(kind))) continue;
    if (found)
      return bad_key(prefix + std::string(name_of(kind)),
                     prefix + std::string(name_of(kind)) + ": the step has a " +
                         std::string(name_of(*found)) +
                         " already; it is one of function, await, branch and wait");
    found = kind;
  }
  if (found) return *found;
  return bad_key(prefix + "function", prefix.substr(0, prefix.size() - 1) +
                                          ": a step needs one of function, await, branch and wait");
}

/// Refuses a key that only steps of another kind have.
Result<void> check_kind(const Step& step, const std::string& prefix, std::string_view key) {
  if (key == "input" || registry::find_key(keys_of(step.kind), key) != nullptr) return {};
  for (const auto kind : kKinds) {
    if (registry::find_key(keys_of(kind), key) == nullptr) continue;
    const auto name = prefix + std::string(key);
    return bad_key(name, name + " belongs to a step with '" + std::string(name_of(kind)) +
                             "', and this one has '" + std::string(name_of(step.kind)) + "'");
  }
  return {};
}

Result<void> read_input(Step& step, const std::string& prefix, const json& value) {
  const auto key = prefix + "input";
  if (step.kind != Step::Kind::function)
    return bad_key(key, key + " belongs to a step with 'function', and this one has '" +
                            std::string(name_of(step.kind)) + "'");
  step.input = text_of(value);
  return {};
}

/// What no single key can tell.
Result<void> check_step(const Step& step, const std::string& prefix, const json& table) {
  if (step.kind == Step::Kind::branch && step.cases.empty())
    return bad_key(prefix + "cases", prefix + "cases: a branch needs cases, like { true = \"go-on\" }");
  if (step.each.empty() && table.contains("concurrency"))
    return bad_key(prefix + "concurrency", prefix + "concurrency needs each: without it there is one call");
  return registry::check_delivery(prefix, step.delivery);
}

/// For errors about a step whose name is not read yet.
std::string label(const json& table, std::size_t number) {
  const auto name = table.find("name");
  const bool named =
      name != table.end() && name->is_string() && is_step_name(name->get_ref<const std::string&>());
  return "steps." + (named ? name->get<std::string>() : std::to_string(number)) + ".";
}

void put(json& object, const char* key, const std::string& text) {
  if (!text.empty()) object[key] = text;
}

void put_function(json& object, const Step& step) {
  object["function"] = step.function;
  if (!step.input.empty()) object["input"] = json::parse(step.input, nullptr, false);
  registry::put_delivery(object, step.delivery);
  put(object, "undo", step.undo);
  if (step.each.empty()) return;
  object["each"] = step.each;
  object["concurrency"] = step.delivery.concurrency;
}

}  // namespace

std::string prefix_of(const Step& step) { return "steps." + step.name + "."; }

std::unexpected<Error> bad_key(const std::string& key, const std::string& message) {
  auto error = fail(registry::RegistryErrc::bad_config, message);
  error.error().with("key", key);
  return error;
}

Result<Step> read_step(const json& table, std::size_t number) {
  if (!table.is_object()) return bad_key("steps", "steps: each is a table with a name");
  const auto prefix = label(table, number);
  const auto kind = kind_of(table, prefix);
  if (!kind) return std::unexpected(kind.error());
  Step step;
  step.kind = *kind;
  for (const auto& [key, value] : table.items()) {
    auto set = check_kind(step, prefix, key);
    if (set)
      set = key == "input"
                ? read_input(step, prefix, value)
                : registry::set_in(keys_of(*kind), prefix, step, key, registry::config_value(value));
    if (!set) return propagate(set);
  }
  if (step.name.empty())
    return bad_key(prefix + "name", prefix + "name: each step needs one; allowed is " + kNameRule);
  if (auto checked = check_step(step, prefix, table); !checked) return propagate(checked);
  return step;
}

json step_json(const Step& step) {
  json object{{"name", step.name}};
  if (step.kind == Step::Kind::function) put_function(object, step);
  put(object, "await", step.await);
  put(object, "branch", step.branch);
  if (!step.cases.empty()) object["cases"] = step.cases;
  put(object, "default", step.otherwise);
  if (step.kind == Step::Kind::wait) object["wait"] = format_duration(step.wait);
  if (step.timeout) object["timeout"] = format_duration(*step.timeout);
  put(object, "on_error", step.on_error);
  put(object, "next", step.next);
  return object;
}

}  // namespace mayfly::pipelines
