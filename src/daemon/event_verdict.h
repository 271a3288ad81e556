// What an invocation's end means for the events that it delivered.
#pragma once

#include <vector>

#include "admin/platform.h"
#include "events/deliverer.h"

namespace mayfly::daemon {

/// A result that is longer than this is not kept.
inline constexpr std::size_t kMaxKeptAnswer = 4U << 20U;

/// One verdict for each of the task's events.
///
/// A request's answer below 500 is a success, but for 429; an event's below 400. Others are failures:
/// `Retry-After` (seconds) says when to try again, `Mayfly-Retry: never` that it is of no use. The answer to
/// a batch of a topic may name single events that are to be tried again (docs/events.md). What the platform
/// could not begin (no room, draining) is no attempt, and neither is it for events that were not in the
/// request.
[[nodiscard]] std::vector<events::Verdict> verdicts_of(const events::Task& task,
                                                       const Result<admin::InvokeAnswer>& result,
                                                       const std::string& version);

}  // namespace mayfly::daemon
