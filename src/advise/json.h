// Findings and histories as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "advise/finding.h"
#include "advise/history.h"

namespace mayfly::advise {

[[nodiscard]] nlohmann::json to_json(const Finding& finding);
[[nodiscard]] nlohmann::json to_json(const History& history);
[[nodiscard]] nlohmann::json to_json(const Prices& prices);

/// Of what to_json() wrote: for histories that were recorded. Members that are missing have their defaults;
/// those of a wrong type throw nlohmann::json::exception.
[[nodiscard]] History history_from_json(const nlohmann::json& from);
[[nodiscard]] Prices prices_from_json(const nlohmann::json& from);

}  // namespace mayfly::advise
