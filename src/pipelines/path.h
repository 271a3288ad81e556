// Paths into what a run knows: the part of JSONPath (RFC 9535) that leads to one place at most.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace mayfly::pipelines {

/// `$` followed by `.name`, `['name']` (or `["name"]`) and `[index]`; an index below 0 counts from the end.
/// Other than in the RFC, a `.name` may have '-' in it: names of steps do.
class Path {
 public:
  using Segment = std::variant<std::string, std::int64_t>;

  /// Error bad_config: the message says where the text stops being a path.
  [[nodiscard]] static Result<Path> parse(std::string_view text);
  [[nodiscard]] const std::vector<Segment>& segments() const { return segments_; }
  /// The name at this place; empty if there is an index, or nothing.
  [[nodiscard]] std::string_view name_at(std::size_t place) const;
  /// Where the segments from `from` on lead in `value`. Null: nowhere.
  [[nodiscard]] const nlohmann::json* find(const nlohmann::json& value, std::size_t from = 0) const;

 private:
  std::vector<Segment> segments_;
};

}  // namespace mayfly::pipelines
