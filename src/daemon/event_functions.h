// What a function's configuration says about events, as the engine wants it.
#pragma once

#include "events/engine.h"
#include "pipelines/pipelines.h"
#include "registry/function.h"

namespace mayfly::daemon {

/// Triggers hold for a function, whichever of its versions an event comes to: those of the version with the
/// largest share of the traffic do.
[[nodiscard]] events::FunctionEvents events_of(const registry::Function& function);

/// The queues of a pipeline. Null: it was deleted, and runs that have begun go on.
[[nodiscard]] events::FunctionEvents events_of_pipeline(const std::string& name,
                                                        const pipelines::DefinitionPtr& stored);

}  // namespace mayfly::daemon
