// What a callback tells.
#pragma once

#include <string>

#include "events/event.h"

namespace mayfly::callbacks {

/// Of an answer's body; a longer one is left out, and has to be fetched.
inline constexpr std::size_t kMostBody = 256U << 10U;

/// {"type": "invocation.succeeded", "timestamp", "data": {"invocation", "function", "status", "attempts",
/// "accepted", "error"?: {"type"}, "result"?: {"status", "headers": [[name, value]], "bytes",
/// "body" | "body_base64" | "body_omitted": true}}}. Of what went wrong inside it says no word.
[[nodiscard]] std::string message_of(const std::string& function, const events::Event& event,
                                     const events::DeliveryId& id, const events::Outcome& end);

}  // namespace mayfly::callbacks
