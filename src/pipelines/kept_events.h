// Events of a run that no step waits for yet: for each name as they came, the first is taken first.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "events/transaction.h"
#include "pipelines/keys.h"

namespace mayfly::pipelines {

/// Of one name, in one run.
inline constexpr std::size_t kMaxKeptEvents = 16;

/// Errors: the transaction's; backlog_full: there are as many of this name already, and nothing is written.
[[nodiscard]] Result<void> keep_event(events::Transaction& transaction, const RunId& run,
                                      const std::string& name, const std::string& value);
/// The one that has been kept longest; nothing: there is none.
[[nodiscard]] Result<std::optional<std::string>> take_kept_event(events::Transaction& transaction,
                                                                 const RunId& run, const std::string& name);

}  // namespace mayfly::pipelines
