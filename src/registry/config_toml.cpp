#include "registry/config_toml.h"

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.h"
#include "registry/name.h"
#include "registry/trigger_keys.h"

namespace mayfly::registry {
namespace {

/// Puts the place in front of an error's message and into its details.
std::unexpected<Error> at(std::string_view file, const toml::source_region& place, Error error) {
  const auto line = std::to_string(place.begin.line);
  error.message = std::string(file) + ":" + line + ": " + error.message;
  error.with("file", std::string(file)).with("line", line);
  return std::unexpected(std::move(error));
}

std::unexpected<Error> at(std::string_view file, const toml::source_region& place, std::string message) {
  return at(file, place, Error{RegistryErrc::bad_config, std::move(message), {}});
}

std::optional<std::vector<std::string>> list_of(const toml::array& array) {
  std::vector<std::string> items;
  for (const auto& item : array) {
    const auto* text = item.as_string();
    if (text == nullptr) return std::nullopt;
    items.push_back(text->get());
  }
  return items;
}

std::optional<std::map<std::string, std::string>> table_of(const toml::table& table) {
  std::map<std::string, std::string> items;
  for (const auto& [key, item] : table) {
    const auto* text = item.as_string();
    if (text == nullptr) return std::nullopt;
    items.emplace(key.str(), text->get());
  }
  return items;
}

/// Tables of lists, and of texts beside them.
std::optional<std::map<std::string, std::vector<std::string>>> lists_of(const toml::table& table) {
  std::map<std::string, std::vector<std::string>> items;
  for (const auto& [key, item] : table) {
    auto& list = items[std::string(key.str())];
    if (const auto* text = item.as_string()) {
      list.push_back(text->get());
      continue;
    }
    const auto* array = item.as_array();
    auto texts = array == nullptr ? std::nullopt : list_of(*array);
    if (!texts) return std::nullopt;
    list = std::move(*texts);
  }
  return items;
}

/// Nothing (monostate) for kinds that no key takes: dates, lists and tables of other things than texts.
ConfigValue value_of(const toml::node& node) {
  if (const auto* text = node.as_string()) return ConfigValue(text->get());
  if (const auto* number = node.as_integer()) return ConfigValue(number->get());
  if (const auto* number = node.as_floating_point()) return ConfigValue(number->get());
  if (const auto* flag = node.as_boolean()) return ConfigValue(flag->get());
  if (const auto* array = node.as_array()) {
    if (auto list = list_of(*array)) return ConfigValue(std::move(*list));
  }
  if (const auto* table = node.as_table()) {
    if (auto items = table_of(*table)) return ConfigValue(std::move(*items));
    if (auto lists = lists_of(*table)) return ConfigValue(std::move(*lists));
  }
  return {std::monostate{}};
}

Result<void> read_trigger(std::string_view file, const toml::table& table, FunctionSpec& spec) {
  auto trigger = make_trigger(table.contains("topic"), table.contains("schedule"));
  if (!trigger) return at(file, table.source(), std::move(trigger.error()));
  for (const auto& [key, node] : table)
    if (auto set = set_trigger_key(*trigger, key.str(), value_of(node)); !set)
      return at(file, key.source(), std::move(set.error()));
  if (auto checked = check_meaning(*trigger); !checked)
    return at(file, table.source(), std::move(checked.error()));
  if (auto added = add_trigger(spec.config, std::move(*trigger)); !added)
    return at(file, table.source(), std::move(added.error()));
  return {};
}

/// `on` and `async` if they are the tables that they have to be; else false.
Result<bool> read_nested(std::string_view file, std::string_view key, const toml::node& node,
                         FunctionSpec& spec) {
  if (const auto* table = node.as_table(); table != nullptr && key == "async") {
    for (const auto& [name, value] : *table)
      if (auto set = set_async_key(spec.config.async, name.str(), value_of(value)); !set)
        return at(file, name.source(), std::move(set.error()));
    return true;
  }
  const auto* array = node.as_array();
  const bool tables = array != nullptr && (array->empty() || array->is_homogeneous<toml::table>());
  if (key != "on" || !tables) return false;
  for (const auto& each : *array)
    if (auto read = read_trigger(file, *each.as_table(), spec); !read) return propagate(read);
  return true;
}

Result<FunctionSpec> read_function(std::string_view file, const toml::key& name, const toml::table& table) {
  FunctionSpec spec;
  spec.name = name.str();
  if (auto named = check_function_name(spec.name); !named)
    return at(file, name.source(), std::move(named.error()));
  for (const auto& [key, node] : table) {
    if (key.str() == "upstream")
      return at(file, key.source(), "what is no function is written [upstreams.NAME], with a url");
    const auto nested = read_nested(file, key.str(), node, spec);
    if (!nested) return std::unexpected(nested.error());
    if (*nested) continue;
    if (auto set = set_key(spec, key.str(), value_of(node)); !set)
      return at(file, key.source(), std::move(set.error()));
  }
  if (auto checked = check_together(spec.config); !checked)
    return at(file, name.source(), std::move(checked.error()));
  return spec;
}

/// The keys of [upstreams.NAME], besides url.
constexpr std::array<std::string_view, 8> kUpstreamKeys{"wrap",       "routes",  "access",      "jwt",
                                                        "rate_limit", "timeout", "max_request", "url"};

Result<FunctionSpec> read_upstream(std::string_view file, const toml::key& name, const toml::table& table) {
  FunctionSpec spec;
  spec.name = name.str();
  if (auto named = check_function_name(spec.name); !named)
    return at(file, name.source(), std::move(named.error()));
  for (const auto& [key, node] : table) {
    const std::string_view its = key.str();
    if (std::ranges::find(kUpstreamKeys, its) == kUpstreamKeys.end())
      return at(file, key.source(),
                "'" + std::string(its) + "' is not a key of an upstream" + did_you_mean(its, kUpstreamKeys));
    if (auto set = set_key(spec, its == "url" ? "upstream" : its, value_of(node)); !set)
      return at(file, key.source(), std::move(set.error()));
  }
  if (spec.config.upstream.empty())
    return at(file, name.source(), "[upstreams." + spec.name + "] needs a url");
  if (auto checked = check_together(spec.config); !checked)
    return at(file, name.source(), std::move(checked.error()));
  return spec;
}

/// What is written at the top of the file, and belongs below [functions.NAME].
bool is_functions_key(std::string_view key, const toml::node& node) {
  if (key == "on" || key == "async") return true;
  FunctionSpec unused;
  const auto set = set_key(unused, key, value_of(node));
  return set || !set.error().detail("allowed").empty();
}

using ReadOne = Result<FunctionSpec> (*)(std::string_view, const toml::key&, const toml::table&);

/// All tables of [functions] or [upstreams].
Result<void> read_all(std::string_view file, const toml::key& kind, const toml::node& node, ReadOne read_one,
                      std::vector<FunctionSpec>& specs) {
  const std::string what(kind.str());
  const auto* tables = node.as_table();
  if (tables == nullptr) return at(file, kind.source(), what + ": write [" + what + ".NAME]");
  for (const auto& [name, one] : *tables) {
    const auto* table = one.as_table();
    if (table == nullptr)
      return at(file, name.source(), "write [" + what + "." + std::string(name.str()) + "]");
    auto spec = read_one(file, name, *table);
    if (!spec) return propagate(spec);
    if (std::ranges::find(specs, spec->name, &FunctionSpec::name) != specs.end())
      return at(file, name.source(), "'" + spec->name + "' is a function and an upstream: which is meant?");
    specs.push_back(std::move(*spec));
  }
  return {};
}

}  // namespace

Result<std::vector<FunctionSpec>> parse_toml(std::string_view text, std::string_view file) {
  toml::table root;
  try {
    root = toml::parse(text, file);
  } catch (const toml::parse_error& error) {
    return at(file, error.source(), std::string(error.description()));
  }
  std::vector<FunctionSpec> specs;
  for (const auto& [key, node] : root) {
    if (key.str() == "pipelines") continue;  // is not a function's; deployed by itself
    if (key.str() != "functions" && key.str() != "upstreams") {
      if (is_functions_key(key.str(), node))
        return at(file, key.source(),
                  "'" + std::string(key.str()) + "' is a key of a function: put it below [functions.NAME]");
      constexpr std::array<std::string_view, 3> known{"functions", "upstreams", "pipelines"};
      return at(file, key.source(),
                "unknown key '" + std::string(key.str()) + "'" + did_you_mean(key.str(), known));
    }
    const auto read_one = key.str() == "functions" ? read_function : read_upstream;
    if (auto read = read_all(file, key, node, read_one, specs); !read) return propagate(read);
  }
  return specs;
}

Result<FunctionSpec> choose_function(const std::vector<FunctionSpec>& specs, std::string_view name) {
  const auto named = std::ranges::find(specs, name, &FunctionSpec::name);
  if (named != specs.end()) return *named;
  if (specs.empty()) return FunctionSpec{};
  if (specs.size() == 1) return specs.front();
  std::string names;
  for (const auto& spec : specs) names += (names.empty() ? "" : ", ") + spec.name;
  return fail(RegistryErrc::bad_config,
              "mayfly.toml has no function '" + std::string(name) + "' and more than one other: " + names);
}

}  // namespace mayfly::registry
