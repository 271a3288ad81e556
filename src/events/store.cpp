#include "events/store.h"

namespace mayfly::events {

std::error_code make_error_code(EventsErrc code) {
  static const SlugCategory<EventsErrc, 4> category(
      "events", {"store-full", "store-failed", "unknown-delivery", "idempotency-mismatch"});
  return {static_cast<int>(code), category};
}

}  // namespace mayfly::events
