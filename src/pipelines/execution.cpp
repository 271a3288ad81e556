// What is decided about a run as a whole: what follows a step, and what people do.
#include "pipelines/execution.h"

#include <algorithm>

#include "base/text.h"
#include "events/store.h"

namespace mayfly::pipelines {

Result<std::unique_ptr<Execution>> Execution::load(events::Transaction& transaction, RunId run) {
  auto text = transaction.get(head_key(run));
  if (!text) return propagate(text);
  if (!*text) return nullptr;
  auto definition_text = transaction.get(definition_key(run));
  if (!definition_text) return propagate(definition_text);
  auto head = head_from_json(**text);
  auto stored = stored_definition(run.pipeline, definition_text->value_or(""));
  if (!head || !stored)
    return fail(events::EventsErrc::unknown_run, "what is kept of the run '" + run.id + "' is damaged");
  return std::make_unique<Execution>(transaction, std::move(run), std::move(stored->definition),
                                     std::move(*head));
}

Execution::Execution(events::Transaction& transaction, RunId run, Definition definition, Head head)
    : transaction_(transaction),
      run_(std::move(run)),
      definition_(std::move(definition)),
      head_(std::move(head)),
      values_(transaction, run_, head_) {}

const Entry* Execution::entry(std::size_t number) const {
  return number < head_.trace.size() ? &head_.trace[number] : nullptr;
}

std::optional<std::size_t> Execution::waiting_for(std::string_view event) const {
  const auto number = last_step(head_);
  if (!number || head_.trace[*number].state != EntryState::waiting) return std::nullopt;
  const auto* step = step_of(head_.trace[*number]);
  return step != nullptr && step->await == event ? number : std::nullopt;
}

Result<void> Execution::go_to(std::string target) { return go_on(std::move(target)); }

/// From step to step until one waits, or the run has ended.
Result<void> Execution::go_on(Next next) {
  while (next && *next) next = enter(std::string(**next));
  if (!next) return propagate(next);
  return save();
}

Execution::Next Execution::enter(const std::string& target) {
  if (target == kEnd) {
    finish(RunState::succeeded);
    return std::nullopt;
  }
  const auto* step = definition_.find(target);
  if (step == nullptr || head_.trace.size() >= kMaxExecuted) {
    head_.error = StepFailure{
        target, {"pipelines:too-long", "the run has executed " + std::to_string(kMaxExecuted) + " steps"}};
    if (auto done = compensate(RunState::failed); !done) return propagate(done);
    return std::nullopt;
  }
  switch (step->kind) {
    case Step::Kind::function:
      return step->each.empty() ? enter_call(*step) : enter_fan_out(*step);
    case Step::Kind::await:
      return enter_await(*step);
    case Step::Kind::branch:
      return enter_branch(*step);
    case Step::Kind::wait:
      return enter_wait(*step);
  }
  return std::nullopt;
}

Execution::Next Execution::succeed(std::size_t number, const std::optional<std::string>& output) {
  auto& entry = head_.trace[number];
  entry.state = EntryState::succeeded;
  entry.finished = now();
  entry.until = 0;
  entry.output = output.has_value();
  if (output)
    if (auto put = transaction_.put(output_key(run_, number), *output); !put) return propagate(put);
  return std::string(definition_.successor(*step_of(entry)));
}

Execution::Next Execution::fail_step(std::size_t number, Failure failure) {
  auto& entry = head_.trace[number];
  entry.state = EntryState::failed;
  entry.finished = now();
  entry.until = 0;
  entry.failure = std::move(failure);
  const StepFailure error{entry.step, *entry.failure};
  const auto& target = step_of(entry)->on_error;
  if (!target.empty()) {
    head_.caught = error;
    return target;
  }
  head_.error = error;
  if (auto done = compensate(RunState::failed); !done) return propagate(done);
  return std::nullopt;
}

std::expected<std::string, Failure> Execution::counted(std::expected<std::string, Failure> value) {
  if (!value) return value;
  if (head_.bytes + value->size() > kMaxRun)
    return std::unexpected(
        Failure{"pipelines:run-too-large",
                "all inputs and outputs of the run together are more than " + size_in_words(kMaxRun)});
  head_.bytes += value->size();
  return value;
}

Execution::Next Execution::end_with(std::size_t number, std::expected<std::string, Failure> value) {
  value = counted(std::move(value));
  return value ? succeed(number, *value) : fail_step(number, std::move(value.error()));
}

Result<std::string> Execution::append(events::NewEvent event) {
  const auto stream = transaction_.stream(stream_name(run_.pipeline));
  if (!stream) return std::unexpected(stream.error());
  event.stream = *stream;
  auto accepted = transaction_.append(std::move(event));
  if (!accepted) return propagate(accepted);
  return events::to_text({*stream, accepted->event->position, 0, accepted->event->check});
}

Result<void> Execution::end_call(std::size_t number, const CallEnd& end) {
  head_.trace[number].done = end.body ? 1 : 0;  // whether it can be used or not
  if (is_cancelled()) return end_cancelled(number, end.body);
  if (!end.body) return go_on(fail_step(number, end.failure));
  auto value = to_value(*end.body);
  if (!value) value.error().message = "the answer cannot be used: " + value.error().message;
  return go_on(end_with(number, std::move(value)));
}

Result<void> Execution::wake(std::size_t number, std::optional<std::string> value) {
  return go_on(value ? end_with(number, std::move(*value)) : succeed(number, std::nullopt));
}

Result<void> Execution::time_out(std::size_t number) {
  const auto& await = step_of(head_.trace[number])->await;
  return go_on(fail_step(number, {"pipelines:timed-out", "no event '" + await + "' has come in time"}));
}

Result<void> Execution::fail_at_start(Failure failure) {
  failure.message = "the input cannot be used: " + failure.message;
  head_.error = StepFailure{"", std::move(failure)};
  finish(RunState::failed);
  return save();
}

Result<void> Execution::retry() {
  const auto step = head_.error->step;
  head_.state = RunState::running;
  head_.finished = 0;
  head_.error.reset();
  head_.compensated.reset();
  if (auto kept = expire(WallTime::max()); !kept) return kept;
  return go_to(step);
}

Result<void> Execution::save() {
  if (auto put = transaction_.put(head_key(run_), to_json(head_)); !put) return put;
  if (!has_ended(head_.state)) return {};
  return expire(transaction_.now() + definition_.keep);
}

/// All that is kept of it.
Result<void> Execution::expire(WallTime when) {
  const auto order = order_prefix(run_.pipeline) + order_text(head_.started, run_.id);
  for (const auto& key : {head_key(run_), order, part_prefix(run_)})
    if (auto done = transaction_.expire(key, when); !done) return done;
  return {};
}

}  // namespace mayfly::pipelines
