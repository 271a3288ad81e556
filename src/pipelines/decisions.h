// What happens to pipelines and their runs, as decisions: each is run by the event store in one transaction
// with what it follows from. They depend on the transaction alone; none waits for anything.
//
// What is refused (is_refusal() in events/refusal.h) has written nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "events/event.h"
#include "events/transaction.h"
#include "pipelines/definition.h"
#include "pipelines/keys.h"

namespace mayfly::pipelines {

/// Deliveries that are of no use any more, for the caller to cancel once the decision is durable. Set by each
/// run of the decision anew; may be null.
using ToCancel = std::shared_ptr<std::vector<events::DeliveryId>>;

/// Writes a definition down; runs that have begun keep theirs. `written`, if given, is set to what is kept
/// now: its revision counts up if anything changed.
[[nodiscard]] events::Decision deploy(Definition definition,
                                      std::shared_ptr<StoredDefinition> written = nullptr);
/// Forgets a definition but for its revision, which later ones of this name count on from: no run begins any
/// more. Those that have begun go on. Refused: unknown_pipeline.
[[nodiscard]] events::Decision remove_pipeline(std::string name);

/// Begins a run with a body as its input; does nothing if there is a run of this id. An input that cannot be
/// used gives a run that has failed: ask check_value() first where somebody can be told. Refused:
/// unknown_pipeline.
[[nodiscard]] events::Decision start(RunId run, std::string body);

/// What follows from the end of the delivery of a step's event, a timer's too. Does nothing if it is not
/// final, was told before, or is of a run that has ended or is not kept any more.
[[nodiscard]] events::Decision step_ended(const events::Event& event, const events::Outcome& end);
/// A timer's time has come.
[[nodiscard]] events::Decision timer(const events::Event& event);

/// An event for a run. One that no step waits for yet is kept for it, behind others of its name. Refused:
/// unknown_run, run_ended, not_awaited (no step of the run has this name), bad_value, backlog_full (as many
/// of this name are kept as may be).
[[nodiscard]] events::Decision signal(RunId run, std::string event, std::string body,
                                      ToCancel to_cancel = nullptr);
/// Ends a run as cancelled, with what was done undone. A call under way of a step that has an undo counts as
/// possibly done: its delivery is among `to_give_up`, to be heard to its end, before anything is undone.
/// Refused: unknown_run, run_ended (also while it is undone).
[[nodiscard]] events::Decision cancel(RunId run, ToCancel to_cancel, ToCancel to_give_up = nullptr);
/// Has a failed run execute once more the step that failed. Refused: unknown_run; run_ended if it has not
/// failed, or anything of it was undone.
[[nodiscard]] events::Decision retry(RunId run);

}  // namespace mayfly::pipelines
