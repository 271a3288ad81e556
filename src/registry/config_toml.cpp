#include "registry/config_toml.h"

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.h"
#include "registry/name.h"

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

/// Nothing for kinds that no key takes: dates, lists and tables of other things than texts.
std::optional<ConfigValue> value_of(const toml::node& node) {
  if (const auto* text = node.as_string()) return ConfigValue(text->get());
  if (const auto* number = node.as_integer()) return ConfigValue(number->get());
  if (const auto* number = node.as_floating_point()) return ConfigValue(number->get());
  if (const auto* flag = node.as_boolean()) return ConfigValue(flag->get());
  if (const auto* array = node.as_array()) {
    if (auto list = list_of(*array)) return ConfigValue(std::move(*list));
  }
  if (const auto* table = node.as_table()) {
    if (auto items = table_of(*table)) return ConfigValue(std::move(*items));
  }
  return std::nullopt;
}

Result<FunctionSpec> read_function(std::string_view file, const toml::key& name, const toml::table& table) {
  FunctionSpec spec;
  spec.name = name.str();
  if (auto named = check_function_name(spec.name); !named)
    return at(file, name.source(), std::move(named.error()));
  for (const auto& [key, node] : table) {
    // A number that no key takes stands for every other kind: set_key() says what the key would take.
    const auto value = value_of(node).value_or(ConfigValue(std::map<std::string, std::string>{{"", ""}}));
    if (auto set = set_key(spec, key.str(), value); !set)
      return at(file, key.source(), std::move(set.error()));
  }
  if (auto checked = check_together(spec.config); !checked)
    return at(file, name.source(), std::move(checked.error()));
  return spec;
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
    if (key.str() != "functions") {
      constexpr std::array<std::string_view, 1> known{"functions"};
      return at(file, key.source(),
                "unknown key '" + std::string(key.str()) + "'" + did_you_mean(key.str(), known));
    }
    const auto* functions = node.as_table();
    if (functions == nullptr) return at(file, key.source(), "functions: write [functions.NAME]");
    for (const auto& [name, function] : *functions) {
      const auto* table = function.as_table();
      if (table == nullptr)
        return at(file, name.source(), "write [functions." + std::string(name.str()) + "]");
      auto spec = read_function(file, name, *table);
      if (!spec) return propagate(spec);
      specs.push_back(std::move(*spec));
    }
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
