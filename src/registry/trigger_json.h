// Triggers, and values of keys, as JSON: in stored configurations, and where a definition is JSON itself.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "registry/config_keys.h"

namespace mayfly::registry {

/// monostate for what no key takes.
[[nodiscard]] ConfigValue config_value(const nlohmann::json& value);
/// The trigger's keys with their values, also those that have their default.
[[nodiscard]] nlohmann::json trigger_to_json(const Trigger& trigger);
/// Appends the triggers of a list. What they mean is not looked at (check_meaning()).
[[nodiscard]] Result<void> read_triggers(FunctionConfig& config, const nlohmann::json& list);
/// policy's keys but for `concurrency`, which not everything has.
void put_delivery(nlohmann::json& object, const DeliveryPolicy& policy);

}  // namespace mayfly::registry
