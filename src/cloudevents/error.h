// What can be wrong with an event that someone sends, or with a filter for events.
#pragma once

#include "base/result.h"

namespace mayfly::cloudevents {

enum class CloudEventsErrc {
  bad_event = 1,  ///< not a CloudEvent as the specification has it; details: attribute, event (in a batch)
  unsupported_format,  ///< an event format that is not JSON
  event_too_large,  ///< more or longer attributes, or more events in a batch, than are taken; details: limit
  bad_webhook,      ///< a WebHook-Request-* field that is not as the specification has it
  bad_filter,       ///< an attribute or a pattern that no filter can have; details: attribute
};
[[nodiscard]] std::error_code make_error_code(CloudEventsErrc code);

}  // namespace mayfly::cloudevents

template <>
struct std::is_error_code_enum<mayfly::cloudevents::CloudEventsErrc> : std::true_type {};
