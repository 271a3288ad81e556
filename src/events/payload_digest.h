// What of an event makes it the same one when it comes again with its Idempotency-Key.
#pragma once

#include <array>
#include <span>

#include "events/event.h"

namespace mayfly::events {

using PayloadDigest = std::array<unsigned char, 32>;

/// SHA-256 over form, method, target, fields, body and partition. Of the fields it leaves out what another
/// try of the same client may well have anew: of a request all but what says how to read its body, of all
/// others `id`, `time` and the trace context.
[[nodiscard]] PayloadDigest payload_digest(const NewEvent& event);
/// Of what was sent together: as many events as these, in this order.
[[nodiscard]] PayloadDigest payload_digest(std::span<const PayloadDigest> parts);

}  // namespace mayfly::events
