// mayfly.toml
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "registry/config_keys.h"

namespace mayfly::registry {

/// Reads all [functions.NAME] and [upstreams.NAME] of a mayfly.toml, each in order of their names. `file` is
/// what errors call it. Errors: bad_config with details `file`, `line`, and `key`; the message begins with
/// "file:line: ".
[[nodiscard]] Result<std::vector<FunctionSpec>> parse_toml(std::string_view text, std::string_view file);

/// The one that is called `name`, else the only one; more than one: an error that lists them.
[[nodiscard]] Result<FunctionSpec> choose_function(const std::vector<FunctionSpec>& specs,
                                                   std::string_view name);

}  // namespace mayfly::registry
