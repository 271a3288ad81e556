// Which limits of functions this host's control groups hold, in the form of the sandbox's layers.
#pragma once

#include <string_view>
#include <vector>

#include "sandbox/cgroups.h"
#include "sandbox/layers.h"

namespace mayfly::sandbox {

/// "memory-limit", "cpu-limit" and "process-limit". The reason of one that is missing says why, what holds
/// even so, and what helps.
[[nodiscard]] std::vector<Layer> limit_layers(const Cgroups& groups);

/// Whether one of those is called so.
[[nodiscard]] bool is_limit_layer(std::string_view name);

}  // namespace mayfly::sandbox
