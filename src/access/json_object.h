// JSON from strangers: an object in which no name stands twice, at any depth.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

namespace mayfly::access {

/// Nothing for anything else. Two readers may take a name that stands twice for two things.
[[nodiscard]] std::optional<nlohmann::json> parse_object(std::string_view text);

}  // namespace mayfly::access
