// The JSON event format (CloudEvents, JSON Event Format v1.0.2): one event, and a batch of them.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cloudevents/cloud_event.h"

namespace mayfly::cloudevents {

inline constexpr std::size_t kMaxBatch = 1000;  ///< events

/// One event. JSON in `data` is taken over byte for byte, and without a datacontenttype is application/json;
/// a `data` that is a string is taken apart only where the datacontenttype is not JSON. bad_event,
/// event_too_large.
[[nodiscard]] Result<CloudEvent> parse_json(std::string_view text);
/// Any number of events, even none. Errors also have a detail `event`: which one, counted from 1.
[[nodiscard]] Result<std::vector<CloudEvent>> parse_json_batch(std::string_view text);

/// As `data` goes what is JSON by its type and in fact, and what is text by its type and in fact; all else as
/// `data_base64`.
[[nodiscard]] std::string to_json(const CloudEvent& event);
[[nodiscard]] std::string to_json_batch(std::span<const CloudEvent> events);

}  // namespace mayfly::cloudevents
