#include "events/store.h"

namespace mayfly::events {

std::error_code make_error_code(EventsErrc code) {
  static const SlugCategory<EventsErrc, 18> category(
      "events", {"store-full", "store-failed", "unknown-delivery", "idempotency-mismatch", "unknown-topic",
                 "unknown-queue", "no-function", "no-result", "backlog-full", "delivery-running",
                 "delivery-ended", "unknown-pipeline", "unknown-run", "run-ended", "not-awaited", "bad-value",
                 "no-callbacks", "queue-attached"});
  return {static_cast<int>(code), category};
}

}  // namespace mayfly::events
