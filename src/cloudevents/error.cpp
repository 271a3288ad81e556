#include "cloudevents/error.h"

namespace mayfly::cloudevents {

std::error_code make_error_code(CloudEventsErrc code) {
  static const SlugCategory<CloudEventsErrc, 5> category(
      "cloudevents", {"bad-event", "unsupported-format", "event-too-large", "bad-webhook", "bad-filter"});
  return {static_cast<int>(code), category};
}

}  // namespace mayfly::cloudevents
