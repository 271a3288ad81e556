// Errors that say no, and after which nothing has to be undone.
#pragma once

#include <algorithm>
#include <array>

#include "base/result.h"
#include "events/store.h"

namespace mayfly::events {

/// An error of a call, or of a decision, that wrote nothing.
[[nodiscard]] inline bool is_refusal(const Error& error) {
  constexpr std::array kRefusals{EventsErrc::unknown_delivery,     EventsErrc::unknown_queue,
                                 EventsErrc::idempotency_mismatch, EventsErrc::unknown_pipeline,
                                 EventsErrc::unknown_run,          EventsErrc::run_ended,
                                 EventsErrc::not_awaited,          EventsErrc::bad_value};
  return std::ranges::any_of(kRefusals, [&](EventsErrc code) { return error.code == code; });
}

}  // namespace mayfly::events
