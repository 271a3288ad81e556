// JSON that was uploaded, or that a build has left.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/json_depth.h"

namespace mayfly::registry {

/// Lists and objects in each other: what is deeper would be copied and written out by as deep a recursion.
inline constexpr std::size_t kMaxJsonDepth = 100;

/// Discarded (is_discarded()) if it is not valid, or deeper than kMaxJsonDepth.
[[nodiscard]] inline nlohmann::json parse_json(std::string_view text) {
  if (!nests_at_most(text, kMaxJsonDepth)) return nlohmann::json(nlohmann::json::value_t::discarded);
  return nlohmann::json::parse(text, nullptr, false);
}

}  // namespace mayfly::registry
