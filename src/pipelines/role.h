// The role of a pipeline's queues: what its events mean, and what their ends decide.
#pragma once

#include <memory>
#include <string>

#include "events/queue_role.h"

namespace mayfly::pipelines {

/// Of the queue `pipeline:NAME`, and of those of its triggers.
[[nodiscard]] std::shared_ptr<const events::QueueRole> queue_role(std::string pipeline);

/// Whether an event of a pipeline's queue is a call of a function; else nothing has to be run for it: a
/// start, a timer.
[[nodiscard]] bool is_call(const events::NewEvent& event);

/// The input of a run that an event started: its data, or of a schedule {"schedule", "timezone", "time",
/// "payload"?}; else the body.
[[nodiscard]] std::string input_of(const events::NewEvent& event);

}  // namespace mayfly::pipelines
