#include "pipelines/kept_events.h"

#include "base/text.h"
#include "events/store.h"

namespace mayfly::pipelines {
namespace {

std::string behind_prefix(const RunId& run, const std::string& name) { return event_key(run, name) + "/"; }

}  // namespace

Result<void> keep_event(events::Transaction& transaction, const RunId& run, const std::string& name,
                        const std::string& value) {
  auto first = transaction.get(event_key(run, name));
  if (!first) return propagate(first);
  if (!*first) return transaction.put(event_key(run, name), value);
  const auto prefix = behind_prefix(run, name);
  auto behind = transaction.list({.prefix = prefix, .limit = kMaxKeptEvents});
  if (!behind) return propagate(behind);
  if (behind->size() + 1 >= kMaxKeptEvents) {
    Error error{events::EventsErrc::backlog_full,
                "the run has " + std::to_string(kMaxKeptEvents) + " events '" + name +
                    "' that no step has waited for yet",
                {}};
    return std::unexpected(
        std::move(error.with("limit", std::to_string(kMaxKeptEvents)).with("retry-after", "5")));
  }
  std::int64_t number = 0;
  if (!behind->empty()) number = parse_integer(behind->back().key.substr(prefix.size())).value_or(number) + 1;
  return transaction.put(prefix + index_text(static_cast<std::size_t>(number)), value);
}

Result<std::optional<std::string>> take_kept_event(events::Transaction& transaction, const RunId& run,
                                                   const std::string& name) {
  auto first = transaction.get(event_key(run, name));
  if (!first || !*first) return first;
  auto behind = transaction.list({.prefix = behind_prefix(run, name), .limit = 1});
  if (!behind) return propagate(behind);
  Result<void> moved;
  if (behind->empty()) {
    moved = transaction.remove(event_key(run, name));
  } else {
    moved = transaction.put(event_key(run, name), behind->front().value);
    if (moved) moved = transaction.remove(behind->front().key);
  }
  if (!moved) return propagate(moved);
  return first;
}

}  // namespace mayfly::pipelines
