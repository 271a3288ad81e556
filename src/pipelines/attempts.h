// How the calls of a run that are open are attempted: for people.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "events/engine.h"

namespace mayfly::pipelines {

/// Puts into a run's view, into each step that is called just now and each of its "calls":
/// "attempt" (the number of the one under way, or of those that were made), "last_failure"? {"type",
/// "message"} of the attempt before, "next_attempt"? when there is another one. What cannot be found out is
/// left out. `then` is called on the engine's thread, or at once. The engine outlives it.
void add_attempts(events::Engine& engine, nlohmann::json view, events::Then<nlohmann::json> then);

/// Of one delivery.
void put_attempts(nlohmann::json& object, const events::DeliveryRecord& record);

}  // namespace mayfly::pipelines
