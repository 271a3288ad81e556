// The events of the stream `pipeline:NAME` by which a run goes on: calls of its steps, and timers.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include "events/event.h"
#include "events/policy.h"
#include "pipelines/definition.h"
#include "pipelines/keys.h"

namespace mayfly::pipelines {

/// Whose event it is.
struct StepRef {
  RunId run;
  std::size_t entry = 0;
  std::optional<std::size_t> index{};  ///< of a call of a fan-out
};

/// A call. `function` is the step's, or its undo; `input` JSON text.
[[nodiscard]] events::NewEvent call_event(const StepRef& ref, const Step& step, std::string function,
                                          std::string input);
[[nodiscard]] events::NewEvent timer_event(const StepRef& ref, WallTime when, WallTime now);

/// Nothing: it is none of these events.
[[nodiscard]] std::optional<StepRef> step_ref(const events::NewEvent& event);
[[nodiscard]] bool is_timer(const events::NewEvent& event);

/// How a step's event is attempted; what it does not say is as in `otherwise`.
[[nodiscard]] events::Policy policy_of(const events::NewEvent& event, const events::Policy& otherwise = {});
/// Of one attempt; unset: the function's own.
[[nodiscard]] std::optional<std::chrono::milliseconds> timeout_of(const events::NewEvent& event);

}  // namespace mayfly::pipelines
