// What the logs of compilers and of esbuild have in common. For their parsers alone.
#pragma once

#include <algorithm>
#include <optional>
#include <string_view>

#include "base/text.h"

namespace mayfly::registry {

/// The first line of `text`, which is cut off with its end.
[[nodiscard]] inline std::string_view take_line(std::string_view& text) {
  const auto end = std::min(text.find('\n'), text.size());
  const auto line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

/// The number behind the last ':' of `text`, which is cut off with it; nothing (and nothing cut) if there is
/// none that could be a line or a column.
[[nodiscard]] inline std::optional<int> take_number(std::string_view& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto number = parse_integer(text.substr(colon + 1));
  if (!number || *number < 0 || *number > 100'000'000) return std::nullopt;
  text = text.substr(0, colon);
  return static_cast<int>(*number);
}

}  // namespace mayfly::registry
