// What GET /metrics says about events.
#pragma once

#include <string>
#include <vector>

#include "events/engine.h"

namespace mayfly::admin {

/// A part of the page, Prometheus text format 0.0.4.
[[nodiscard]] std::string event_metrics(const std::vector<events::QueueView>& queues,
                                        const events::StoreFigures& store);

}  // namespace mayfly::admin
