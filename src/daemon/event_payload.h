// The invocation that hands events to a function.
#pragma once

#include <cstddef>
#include <optional>

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
[[nodiscard]] admin::InvokeRequest event_request(const events::Task& task);
/// In which form event_request() has it; nothing: it is the same in all of them.
[[nodiscard]] std::optional<EventForm> form_of(const events::Task& task);
/// How many of the task's events, from the first on, event_request() has in it.
[[nodiscard]] std::size_t sent_of(const events::Task& task);

}  // namespace mayfly::daemon
