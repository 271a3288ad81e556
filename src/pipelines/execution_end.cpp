// How a run ends that does not succeed: what was done is undone, the latest first.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "pipelines/execution.h"
#include "pipelines/step_event.h"
#include "pipelines/value.h"

namespace mayfly::pipelines {

using nlohmann::json;

namespace {

bool is_undo(const Entry& entry) { return entry.undo_of.has_value(); }

/// Whether it has done something that can be undone.
bool has_effect(const Entry& entry) { return entry.state == EntryState::succeeded || entry.done > 0; }

}  // namespace

/// What was done has to be known before it is undone: calls that can be undone are heard to their end first.
Result<Open> Execution::cancel() {
  const Failure reason{"pipelines:cancelled", "the run was cancelled"};
  const auto last = last_step(head_);
  head_.error = StepFailure{last ? head_.trace[*last].step : "", reason};
  head_.state = RunState::compensating;
  head_.ends = RunState::cancelled;
  Open open;
  if (last && is_open(head_.trace[*last].state)) {
    auto& entry = head_.trace[*last];
    auto calls = transaction_.list({.prefix = calls_prefix(run_, *last), .limit = kMaxItems});
    if (!calls) return propagate(calls);
    calls->push_back({"", entry.delivery});
    for (const auto& call : *calls)
      if (const auto delivery = events::parse_delivery_id(call.value)) open.deliveries.push_back(*delivery);
    open.may_be_done = entry.state == EntryState::running && !step_of(entry)->undo.empty();
    if (entry.items && !entry.failure) entry.failure = reason;  // no others begin
    if (open.may_be_done) {
      if (auto done = save(); !done) return propagate(done);
      return open;
    }
    entry.state = EntryState::cancelled;
    entry.finished = now();
  }
  auto done = undo_next();
  if (done) done = save();
  if (!done) return propagate(done);
  return open;
}

/// The calls that were under way have ended. `output` is that of a step's only one, if it has succeeded.
Result<void> Execution::end_cancelled(std::size_t number, const std::optional<std::string>& output) {
  auto& entry = head_.trace[number];
  const auto value = output ? counted(to_value(*output)) : std::unexpected(Failure{});
  entry.state = value ? EntryState::succeeded : EntryState::cancelled;
  entry.finished = now();
  entry.output = value.has_value();
  if (value)
    if (auto put = transaction_.put(output_key(run_, number), *value); !put) return put;
  auto done = undo_next();
  return done ? save() : done;
}

Result<void> Execution::compensate(RunState ends) {
  head_.state = RunState::compensating;
  head_.ends = ends;
  return undo_next();
}

/// The latest one that is not undone yet; if there is none, the run has ended.
Result<void> Execution::undo_next() {
  const bool begun = !head_.trace.empty() && is_undo(head_.trace.back());
  for (auto i = begun ? *head_.trace.back().undo_of : head_.trace.size(); i > 0; --i) {
    const auto& entry = head_.trace[i - 1];
    const auto* step = step_of(entry);
    if (step != nullptr && !step->undo.empty() && has_effect(entry)) return undo(i - 1, *step);
  }
  finish(head_.ends);
  return {};
}

Result<void> Execution::undo(std::size_t number, const Step& step) {
  auto input = undo_input(number);
  if (!input) return propagate(input);
  const auto undoing = begin_entry(step);
  head_.trace[undoing].undo_of = number;
  auto delivery = append(call_event({run_, undoing}, step, step.undo, std::move(*input)));
  if (!delivery) return propagate(delivery);
  head_.trace[undoing].delivery = std::move(*delivery);
  return {};
}

/// Its parts are within limits already: put together they may be larger than another input.
Result<std::string> Execution::undo_input(std::size_t number) {
  const auto& entry = head_.trace[number];
  auto input = transaction_.get(input_key(run_));
  if (!input) return propagate(input);
  std::string output = "null";
  if (entry.items && entry.state != EntryState::succeeded) {
    auto partial = partial_output(number);
    if (!partial) return propagate(partial);
    output = std::move(*partial);
  } else {
    auto whole = transaction_.get(output_key(run_, number));
    if (!whole) return propagate(whole);
    output = whole->value_or("null");
  }
  const json run{{"id", run_.id}, {"pipeline", run_.pipeline}};
  return R"({"input":)" + input->value_or("null") + R"(,"output":)" + output + R"(,"error":)" +
         text_of(to_json(*head_.error)) + R"(,"run":)" + run.dump() + "}";
}

Result<void> Execution::end_undo(std::size_t number, const CallEnd& end) {
  auto& entry = head_.trace[number];
  entry.state = end.body ? EntryState::succeeded : EntryState::failed;
  entry.finished = now();
  if (!end.body) entry.failure = end.failure;
  auto done = undo_next();
  return done ? save() : done;
}

void Execution::finish(RunState state) {
  head_.state = state;
  head_.finished = now();
  if (state == RunState::succeeded) return;
  const auto failed = [](const Entry& entry) { return is_undo(entry) && entry.state == EntryState::failed; };
  head_.compensated = std::ranges::any_of(head_.trace, is_undo) && std::ranges::none_of(head_.trace, failed);
}

}  // namespace mayfly::pipelines
