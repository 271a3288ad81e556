// The names that functions and aliases may have.
#pragma once

#include <string_view>

#include "base/result.h"

namespace mayfly::registry {

/// [a-z0-9][a-z0-9-_]{0,62}: fits into a path, a host name's label (but for '_') and a file name.
[[nodiscard]] Result<void> check_function_name(std::string_view name);
/// As a function's, but not of digits alone: `name@3` is a version.
[[nodiscard]] Result<void> check_alias(std::string_view alias);

}  // namespace mayfly::registry
