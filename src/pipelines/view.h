// Runs as people see them: JSON made of a run's documents. Times are RFC 3339, UTC.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "events/transaction.h"
#include "pipelines/definition.h"
#include "pipelines/keys.h"
#include "pipelines/run.h"

namespace mayfly::pipelines {

/// {"id", "pipeline", "revision", "state", "started", "finished"?, "error"? {"step", "type", "message"},
/// "compensated"?, "steps": [...]}. A step is an entry of the trace, in the order in which they began:
/// {"step", "kind", "state", "started", "finished"?, "function"?, "delivery"?, "attempts"? (of an open call:
/// at most), "until"?, "event"?, "items"?, "done"?, "undoes"? (the number, from 0, of the entry that this
/// undoes), "error"?}; while the run goes on, those that were not reached yet follow as {"step", "kind",
/// "state": "pending"}.
[[nodiscard]] nlohmann::json run_view(const RunId& run, const Head& head, const Definition& definition);

/// Some runs of a pipeline, newest first.
struct RunPage {
  /// {"id", "pipeline", "revision", "state", "started", "finished"?, "step"? (the latest)}
  std::vector<nlohmann::json> items{};
  std::vector<std::string> orders{};  ///< order_text() of each
  std::string last{};                 ///< order_text() that the next page is before; "": there are no more
};
/// Sets `page` to at most `limit` runs that were started before `before`: a run's id, or its order_text();
/// "": the newest. Refused: unknown_run.
[[nodiscard]] events::Look read_runs(std::string pipeline, std::string before, std::size_t limit,
                                     std::shared_ptr<RunPage> page);

/// Sets `view` to run_view(). With `values` "input" is beside "steps", and an "output" in each
/// step that has one; what is more than some MiB altogether is left out ("values_left_out": true). A fan-out
/// that is under way has the first of its open "calls": [{"index", "delivery"}]. Refused: unknown_run.
[[nodiscard]] events::Look view_run(RunId run, bool values, std::shared_ptr<nlohmann::json> view);

}  // namespace mayfly::pipelines
