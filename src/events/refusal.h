// Errors that say no, and after which nothing has to be undone.
#pragma once

#include "base/result.h"
#include "events/store.h"

namespace mayfly::events {

/// An error of a call, or of a decision, that wrote nothing.
[[nodiscard]] inline bool is_refusal(const Error& error) {
  return error.code == EventsErrc::unknown_delivery || error.code == EventsErrc::unknown_queue ||
         error.code == EventsErrc::idempotency_mismatch;
}

}  // namespace mayfly::events
