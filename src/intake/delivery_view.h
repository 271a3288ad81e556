// Deliveries as JSON, for the admin plane and for whoever holds the id of one.
#pragma once

#include <nlohmann/json.hpp>

#include "events/event.h"

namespace mayfly::intake {

enum class Audience {
  everyone,   ///< no word of what went wrong inside
  developer,  ///< all of it
};

/// {"invocation", "status", "attempts", "accepted", "finished"?, "next_attempt"?, "history": [{"number",
/// "started", "ended", "version"?, "type"?, "message"?}], "result"?: {"status", "headers", "bytes"}}
[[nodiscard]] nlohmann::json delivery_json(const events::DeliveryRecord& record, Audience audience);

}  // namespace mayfly::intake
