#include "pipelines/decisions.h"

#include <algorithm>

#include "base/fields.h"
#include "base/text.h"
#include "events/store.h"
#include "pipelines/execution.h"
#include "pipelines/kept_events.h"
#include "pipelines/step_event.h"

namespace mayfly::pipelines {

using events::Decision;
using events::EventsErrc;
using events::Transaction;

namespace {

std::unexpected<Error> no_pipeline(const std::string& name) {
  return fail(EventsErrc::unknown_pipeline, "there is no pipeline '" + name + "'");
}

Result<std::unique_ptr<Execution>> load_known(Transaction& transaction, const RunId& run) {
  auto execution = Execution::load(transaction, run);
  if (execution && !*execution)
    return fail(EventsErrc::unknown_run,
                "the pipeline '" + run.pipeline + "' has no run '" + run.id + "', or not any more");
  return execution;
}

std::unexpected<Error> has_ended_already(const RunId& run, RunState state) {
  const auto* what = state == RunState::compensating ? " is being undone" : " has ended: it has ";
  return fail(EventsErrc::run_ended,
              "the run '" + run.id + "'" + what +
                  (state == RunState::compensating ? "" : std::string(name_of(state))));
}

Result<void> begin(Transaction& transaction, const RunId& run, const std::string& body) {
  const auto known = transaction.get(head_key(run));
  if (!known) return std::unexpected(known.error());
  if (*known) return {};
  const auto text = transaction.get(pipeline_key(run.pipeline));
  if (!text) return std::unexpected(text.error());
  if (!*text) return no_pipeline(run.pipeline);
  auto stored = stored_definition(run.pipeline, **text);
  if (!stored)
    return fail(EventsErrc::unknown_pipeline,
                "what is kept of the pipeline '" + run.pipeline + "' is damaged");
  const auto value = to_value(body);
  if (auto put = transaction.put(definition_key(run), **text); !put) return put;
  if (auto put = transaction.put(input_key(run), value.value_or("null")); !put) return put;
  const auto now = to_millis(transaction.now());
  const auto order = order_prefix(run.pipeline) + order_text(now, run.id);
  if (auto put = transaction.put(order, ""); !put) return put;
  const auto first = stored->definition.steps.front().name;
  Execution execution(transaction, run, std::move(stored->definition),
                      Head{.started = now, .revision = stored->revision});
  return value ? execution.go_to(first) : execution.fail_at_start(value.error());
}

/// A function can say much about why it failed; a run's head stays small.
std::string shortened(const std::string& text) {
  constexpr std::size_t kMost = 1'024;
  if (text.size() <= kMost) return text;
  return std::string(beginning_of(text, kMost)) + " …";
}

/// What an outcome says about the call.
CallEnd call_end(const events::Outcome& end) {
  if (end.state == events::State::cancelled)
    return {{}, {"pipelines:cancelled", "its delivery was cancelled"}};
  if (end.state != events::State::succeeded) {
    if (end.attempt && !end.attempt->type.empty())
      return {{}, {end.attempt->type, shortened(end.attempt->message)}};
    return {{}, {"pipelines:gave-up", "no attempt has succeeded"}};
  }
  CallEnd result{end.answer ? end.answer->body : std::string(), {}};
  if (!end.answer) return result;
  for_each_field(end.answer->headers, [&](std::string_view name, std::string_view) {
    if (name == "mayfly-not-kept")
      result = {{}, {"pipelines:too-large", "the answer is too large to be kept"}};
  });
  return result;
}

Result<void> end_call(Transaction& transaction, const StepRef& ref, const CallEnd& end) {
  auto execution = Execution::load(transaction, ref.run);
  if (!execution) return propagate(execution);
  const auto* entry = *execution ? (*execution)->entry(ref.entry) : nullptr;
  if (entry == nullptr || has_ended((*execution)->head().state)) return {};
  if (entry->items) return ref.index ? (*execution)->end_call(ref.entry, *ref.index, end) : Result<void>();
  if (entry->state != EntryState::running) return {};
  return entry->undo_of ? (*execution)->end_undo(ref.entry, end) : (*execution)->end_call(ref.entry, end);
}

Result<void> wake(Transaction& transaction, const StepRef& ref) {
  auto execution = Execution::load(transaction, ref.run);
  if (!execution) return propagate(execution);
  const auto* entry = *execution ? (*execution)->entry(ref.entry) : nullptr;
  if (entry == nullptr || entry->state != EntryState::waiting) return {};
  const bool waits = (*execution)->step_of(*entry)->kind == Step::Kind::wait;
  return waits ? (*execution)->wake(ref.entry, std::nullopt) : (*execution)->time_out(ref.entry);
}

Result<void> take_event(Transaction& transaction, const RunId& run, const std::string& event,
                        const std::string& body, const ToCancel& to_cancel) {
  if (to_cancel) to_cancel->clear();
  auto execution = load_known(transaction, run);
  if (!execution) return propagate(execution);
  auto& one = **execution;
  if (one.head().state != RunState::running) return has_ended_already(run, one.head().state);
  const auto& steps = one.definition().steps;
  if (event.empty() || std::ranges::find(steps, event, &Step::await) == steps.end())
    return fail(EventsErrc::not_awaited,
                "no step of the run waits for an event '" + event.substr(0, 80) + "'");
  if (auto checked = check_value(body); !checked) return checked;
  auto value = to_value(body).value();
  const auto waiting = one.waiting_for(event);
  if (!waiting) return keep_event(transaction, run, event, value);
  const auto timer = events::parse_delivery_id(one.entry(*waiting)->delivery);
  if (to_cancel && timer) to_cancel->push_back(*timer);
  return one.wake(*waiting, std::move(value));
}

Result<void> end_early(Transaction& transaction, const RunId& run, const ToCancel& to_cancel,
                       const ToCancel& to_give_up) {
  auto execution = load_known(transaction, run);
  if (!execution) return propagate(execution);
  const auto state = (*execution)->head().state;
  if (state != RunState::running) return has_ended_already(run, state);
  auto open = (*execution)->cancel();
  if (!open) return propagate(open);
  const auto& told = open->may_be_done ? to_give_up : to_cancel;
  if (told) *told = std::move(open->deliveries);
  return {};
}

Result<void> begin_again(Transaction& transaction, const RunId& run) {
  auto execution = load_known(transaction, run);
  if (!execution) return propagate(execution);
  const auto& head = (*execution)->head();
  const auto is_undo = [](const Entry& entry) { return entry.undo_of.has_value(); };
  const std::string refused = "the run '" + run.id + "' cannot be tried again: ";
  if (head.state != RunState::failed)
    return fail(EventsErrc::run_ended,
                refused + "it is " + std::string(name_of(head.state)) + ", not failed");
  if (std::ranges::any_of(head.trace, is_undo))
    return fail(EventsErrc::run_ended, refused + "what it had done was undone");
  if (!head.error || (*execution)->definition().find(head.error->step) == nullptr)
    return fail(EventsErrc::run_ended, refused + "it failed before its first step");
  return (*execution)->retry();
}

}  // namespace

Decision deploy(Definition definition, std::shared_ptr<StoredDefinition> written) {
  return [definition = std::move(definition),
          written = std::move(written)](Transaction& transaction) -> Result<void> {
    const auto key = pipeline_key(definition.name);
    const auto text = transaction.get(key);
    if (!text) return std::unexpected(text.error());
    const auto deleted = transaction.get(deleted_key(definition.name));
    if (!deleted) return std::unexpected(deleted.error());
    const auto last = parse_integer(deleted->value_or("0")).value_or(0);
    StoredDefinition stored{definition, last + 1, to_millis(transaction.now())};
    if (const auto before = stored_definition(definition.name, text->value_or(""))) {
      const bool same = before->definition == definition;
      stored.revision = before->revision + (same ? 0 : 1);
      if (same) stored.changed = before->changed;
    }
    if (written) *written = stored;
    if (auto done = transaction.remove(deleted_key(definition.name)); !done) return done;
    return transaction.put(key, to_json(stored));
  };
}

Decision remove_pipeline(std::string name) {
  return [name = std::move(name)](Transaction& transaction) -> Result<void> {
    const auto text = transaction.get(pipeline_key(name));
    if (!text) return std::unexpected(text.error());
    if (!*text) return no_pipeline(name);
    const auto stored = stored_definition(name, **text);
    const auto last = std::to_string(stored ? stored->revision : 0);
    if (auto put = transaction.put(deleted_key(name), last); !put) return put;
    return transaction.remove(pipeline_key(name));
  };
}

Decision start(RunId run, std::string body) {
  return [run = std::move(run), body = std::move(body)](Transaction& transaction) {
    return begin(transaction, run, body);
  };
}

Decision step_ended(const events::Event& event, const events::Outcome& end) {
  const auto ref = step_ref(event);
  if (!ref || !events::is_final(end.state)) return [](Transaction&) -> Result<void> { return {}; };
  // A cancelled one, too: if somebody still waits for it, it must not be for ever.
  if (is_timer(event)) return timer(event);
  return
      [ref = *ref, end = call_end(end)](Transaction& transaction) { return end_call(transaction, ref, end); };
}

Decision timer(const events::Event& event) {
  return [ref = step_ref(event)](Transaction& transaction) {
    return ref ? wake(transaction, *ref) : Result<void>();
  };
}

Decision signal(RunId run, std::string event, std::string body, ToCancel to_cancel) {
  return [run = std::move(run), event = std::move(event), body = std::move(body),
          to_cancel = std::move(to_cancel)](Transaction& transaction) {
    return take_event(transaction, run, event, body, to_cancel);
  };
}

Decision cancel(RunId run, ToCancel to_cancel, ToCancel to_give_up) {
  return [run = std::move(run), to_cancel = std::move(to_cancel),
          to_give_up = std::move(to_give_up)](Transaction& transaction) {
    for (const auto& told : {to_cancel, to_give_up})
      if (told) told->clear();
    return end_early(transaction, run, to_cancel, to_give_up);
  };
}

Decision retry(RunId run) {
  return [run = std::move(run)](Transaction& transaction) { return begin_again(transaction, run); };
}

}  // namespace mayfly::pipelines
