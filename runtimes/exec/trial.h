// Whether a bootstrap comes up: found out when it is deployed, not when it is first called.
#pragma once

#include <optional>

#include "bridge/log_sender.h"
#include "exec/configuration.h"
#include "exec/runtime_api.h"

namespace mayfly::exec {

/// Starts the executable until it asks for an invocation, and ends it then. Why it did not: it ended,
/// reported an error, or took longer than Lambda lets an initialization take (10 s). Nothing of it is left.
[[nodiscard]] std::optional<LambdaFailure> try_bootstrap(const Configuration& configuration,
                                                         bridge::LogSender& log);

}  // namespace mayfly::exec
