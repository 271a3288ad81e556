// The invocation that hands events to a function.
#pragma once

#include "admin/platform.h"
#include "events/deliverer.h"
#include "registry/function.h"

namespace mayfly::daemon {

/// An asynchronous request is made again as it came. Events of topics and schedules are JSON that the
/// runtime's bridge turns into what the function's form takes (docs/events.md); native functions and
/// executables get an HTTP request with a CloudEvent in binary mode.
[[nodiscard]] admin::InvokeRequest event_request(const events::Task& task, registry::Runtime runtime);

}  // namespace mayfly::daemon
