// Runs as people see them: JSON made of a run's documents. Times are RFC 3339, UTC.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "events/transaction.h"
#include "pipelines/definition.h"
#include "pipelines/keys.h"
#include "pipelines/run.h"

namespace mayfly::pipelines {

/// {"id", "pipeline", "revision", "state", "started", "finished"?, "error"? {"step", "type", "message"},
/// "compensated"?, "steps": [...]}. A step is an entry of the trace, in the order in which they began:
/// {"step", "kind", "state", "started", "finished"?, "function"?, "delivery"?, "until"?, "event"?, "items"?,
/// "done"?, "undoes"? (the number, from 0, of the entry that this undoes), "error"?}; while the run goes on,
/// those that were not reached yet follow as {"step", "kind", "state": "pending"}.
[[nodiscard]] nlohmann::json run_view(const RunId& run, const Head& head, const Definition& definition);

/// {"id", "pipeline", "revision", "state", "started", "finished"?, "step"? (the latest)} of a document that
/// begins with runs_prefix(); null for any other.
[[nodiscard]] nlohmann::json run_item(const events::Document& head);

/// Sets `view` to run_view(). With `values` "input" is beside "steps", and an "output" in each
/// step that has one; what is more than some MiB altogether is left out ("values_left_out": true). Refused:
/// unknown_run.
[[nodiscard]] events::Decision view_run(RunId run, bool values, std::shared_ptr<nlohmann::json> view);

}  // namespace mayfly::pipelines
