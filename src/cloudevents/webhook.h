// The handshake of a sender of events with whom it sends to (HTTP 1.1 Web Hooks for Event Delivery v1.0.2,
// section 4).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cloudevents/error.h"

namespace mayfly::cloudevents {

/// The fields ("name\0value\0…") of the answer to OPTIONS with the fields given: `Allow`, and if there is a
/// WebHook-Request-Origin, that this origin may send, at `rate` requests a minute or, without one, at any
/// rate. A WebHook-Request-Callback is not called: the answer itself gives the permission. bad_webhook: an
/// origin or a rate that is none.
[[nodiscard]] Result<std::string> allow_webhook(std::string_view fields,
                                                std::optional<std::uint32_t> rate = {});

}  // namespace mayfly::cloudevents
