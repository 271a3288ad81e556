// What no policy can beat that holds instances and never starts one ahead of demand.
#pragma once

#include <cstdint>
#include <vector>

#include "trace.h"

namespace mayfly::bench {

/// The fewest cold starts of a day by a policy that knows the future and holds `idle_gib` of idle memory on
/// average: every idle time of every level costs memory × length and saves one cold start; take the cheapest.
/// Invocations are packed into the fewest instances.
[[nodiscard]] std::uint64_t fewest_cold_starts(const std::vector<TracedFunction>& functions,
                                               const std::vector<Arrival>& day, std::uint32_t concurrency,
                                               double idle_gib);

}  // namespace mayfly::bench
