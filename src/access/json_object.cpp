#include "access/json_object.h"

#include <set>
#include <string>
#include <vector>

namespace mayfly::access {

std::optional<nlohmann::json> parse_object(std::string_view text) {
  using Event = nlohmann::json::parse_event_t;
  constexpr int kDeepest = 32;
  std::vector<std::set<std::string>> names;  // of the objects that are open
  bool good = true;
  const auto watch = [&](int depth, Event event, nlohmann::json& value) {
    if (depth > kDeepest) good = false;
    if (event == Event::object_start) names.emplace_back();
    if (event == Event::object_end && !names.empty()) names.pop_back();
    if (event == Event::key && !names.empty() && !names.back().insert(value.get<std::string>()).second)
      good = false;
    return good;
  };
  auto parsed = nlohmann::json::parse(text.begin(), text.end(), watch, false);
  if (!good || !parsed.is_object()) return std::nullopt;
  return parsed;
}

}  // namespace mayfly::access
