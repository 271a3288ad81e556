// A table of the keys that a part of the configuration has. For this folder's tables and that of pipelines/.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "registry/config_keys.h"

namespace mayfly::registry {

using List = std::vector<std::string>;
using Table = std::map<std::string, std::string>;
using Lists = std::map<std::string, List>;

/// In the order of ConfigValue's alternatives.
enum class Kind { text, integer, boolean, list, table, number, lists };

/// One key of a Target. `set` gets a value of the right kind; its error's message is put before "allowed".
template <class Target>
struct KeyOf {
  std::string_view name;
  Kind kind;
  const char* allowed;  ///< for people, in every error about it
  Result<void> (*set)(Target&, const ConfigValue&);
};

/// The value is not in `allowed`: nothing more to say.
[[nodiscard]] std::unexpected<Error> refused();

/// `prefix` is put before each name in errors: "on.".
[[nodiscard]] std::unexpected<Error> unknown_key(std::string_view prefix, std::string_view name,
                                                 std::span<const std::string_view> names);
[[nodiscard]] std::unexpected<Error> bad_value(const std::string& key, const char* allowed,
                                               const std::string& why);

/// The value as a key of this kind takes it (a whole number is a number, too), or an error's message.
[[nodiscard]] std::expected<ConfigValue, std::string> as_kind(const ConfigValue& value, Kind kind);
/// Reads what --set gives to a key of this kind; an error's message says why not. Tables have none: they
/// are set by their parts.
[[nodiscard]] std::expected<ConfigValue, std::string> read_text(Kind kind, std::string_view text);
/// "a,b" → "a", "b"; "" → nothing.
[[nodiscard]] List split_list(std::string_view text);

template <class Target>
[[nodiscard]] const KeyOf<Target>* find_key(std::span<const KeyOf<Target>> keys, std::string_view name) {
  const auto found = std::ranges::find(keys, name, &KeyOf<Target>::name);
  return found == keys.end() ? nullptr : &*found;
}

template <class Target>
[[nodiscard]] Result<void> set_in(std::span<const KeyOf<Target>> keys, std::string_view prefix,
                                  Target& target, std::string_view name, const ConfigValue& given) {
  const auto* key = find_key(keys, name);
  if (key == nullptr) {
    std::vector<std::string_view> names;
    for (const auto& each : keys) names.push_back(each.name);
    return unknown_key(prefix, name, names);
  }
  const auto full_name = std::string(prefix) + std::string(name);
  const auto value = as_kind(given, key->kind);
  if (!value) return bad_value(full_name, key->allowed, value.error());
  auto set = key->set(target, *value);
  if (!set) return bad_value(full_name, key->allowed, set.error().message);
  return {};
}

/// As set_in(), with the text of a setting. Unknown keys are set_in()'s to report.
template <class Target>
[[nodiscard]] Result<void> set_text_in(std::span<const KeyOf<Target>> keys, std::string_view prefix,
                                       Target& target, std::string_view name, std::string_view text) {
  const auto* key = find_key(keys, name);
  if (key == nullptr) return set_in(keys, prefix, target, name, std::string(text));
  const auto full_name = std::string(prefix) + std::string(name);
  if (key->kind == Kind::table || key->kind == Kind::lists)
    return bad_value(full_name, key->allowed, "give each part as " + full_name + ".NAME=value");
  const auto value = read_text(key->kind, text);
  if (!value) return bad_value(full_name, key->allowed, value.error());
  return set_in(keys, prefix, target, name, *value);
}

}  // namespace mayfly::registry
