// The keys of [[pipelines.NAME.steps]].
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/result.h"
#include "pipelines/definition.h"

namespace mayfly::pipelines {

/// A step from its table; `number` counts from 1 and stands for the name in errors about one without. Where
/// it leads is not looked at.
[[nodiscard]] Result<Step> read_step(const nlohmann::json& table, std::size_t number);
/// The keys that are set.
[[nodiscard]] nlohmann::json step_json(const Step& step);

/// "steps.NAME.": put before a key in errors about it.
[[nodiscard]] std::string prefix_of(const Step& step);
/// An error about a key.
[[nodiscard]] std::unexpected<Error> bad_key(const std::string& key, const std::string& message);

}  // namespace mayfly::pipelines
