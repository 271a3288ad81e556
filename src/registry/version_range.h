// Whether a version is among those that a package asks for.
#pragma once

#include <optional>
#include <string_view>

namespace mayfly::registry {

/// `range` as engines.node of package.json and requires-python of pyproject.toml have it: terms that all
/// have to hold (">=18 <23", ">=3.11,<4", "^20.1", "~=3.11", "20.x", "!=3.12.*"), alternatives divided by
/// "||". Nothing if it has anything else in it, or `version` is no plain one ("3.11.7"): both languages have
/// more than is read here, and what is not understood is not to be judged.
[[nodiscard]] std::optional<bool> is_in_range(std::string_view version, std::string_view range);

}  // namespace mayfly::registry
