// The keys of [functions.NAME]: one table, whichever way a value comes (mayfly.toml, --set, the database).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "registry/error.h"
#include "registry/function.h"

namespace mayfly::registry {

/// What is said about one function, by a [functions.NAME] or by settings alone.
struct FunctionSpec {
  std::string name;
  std::string source;                ///< file or folder, relative to mayfly.toml; "" if not said
  std::optional<Runtime> runtime{};  ///< if it is not to be found from the source
  FunctionConfig config;
  std::vector<std::string> warnings;  ///< keys that are accepted and do nothing yet
  bool says_access = false;           ///< `access` was set, whatever to
  std::size_t set_trigger = 0;        ///< that of config.on which settings go on with, + 1; 0: none yet
};

/// The last one is what no key takes.
using ConfigValue = std::variant<std::string, std::int64_t, bool, std::vector<std::string>,
                                 std::map<std::string, std::string>, double,
                                 std::map<std::string, std::vector<std::string>>, std::monostate>;

/// Sets one key. Error bad_config: an unknown key (with the nearest known one), a wrong kind of value, or
/// one out of range (message and detail `allowed` give the range); detail `key`. Keys that Mayfly does
/// not act on yet leave a warning in the spec.
[[nodiscard]] Result<void> set_key(FunctionSpec& spec, std::string_view key, const ConfigValue& value);

/// Sets a key from "key=value" as of --set: the value is read as the key's kind wants it. Lists are
/// separated by commas, variables are `env.NAME=value`. `on.topic=NAME` and `on.schedule=WHEN` begin a
/// trigger, or go on with the one that there is, for the settings `on.KEY=value` behind it; `on=` removes
/// all.
[[nodiscard]] Result<void> set_text(FunctionSpec& spec, std::string_view setting);

/// What no single key can tell, that of triggers included; call when all are set.
[[nodiscard]] Result<void> check_together(const FunctionConfig& config);

/// Every key with its value in the form that set_key() takes; unset optional ones are left out. As JSON text,
/// keys sorted: equal configurations give equal text.
[[nodiscard]] std::string config_to_json(const FunctionConfig& config);
[[nodiscard]] Result<FunctionConfig> config_from_json(const std::string& json);

}  // namespace mayfly::registry
