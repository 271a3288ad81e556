// What a function's configuration says about events, as the engine wants it.
#pragma once

#include "events/engine.h"
#include "registry/function.h"

namespace mayfly::daemon {

/// Triggers hold for a function, whichever of its versions an event comes to: those of the version with the
/// largest share of the traffic do.
[[nodiscard]] events::FunctionEvents events_of(const registry::Function& function);

}  // namespace mayfly::daemon
