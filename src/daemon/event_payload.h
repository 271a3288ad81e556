// The invocation that hands events to a function.
#pragma once

#include "admin/platform.h"
#include "events/deliverer.h"
#include "registry/function.h"

namespace mayfly::daemon {

/// How a function gets the events of topics and schedules.
enum class EventForm {
  delivery,  ///< several at once, as JSON that its bridge turns into what its handler takes (docs/wire.md)
  http,      ///< one at a time, as an HTTP request: native functions, executables that are no bootstraps
};
[[nodiscard]] EventForm event_form(const registry::Version& version);

/// An asynchronous request is made again as it came, whatever the form.
[[nodiscard]] admin::InvokeRequest event_request(const events::Task& task, EventForm events_as);

}  // namespace mayfly::daemon
