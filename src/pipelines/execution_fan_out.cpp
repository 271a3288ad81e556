// Fan-outs: a call for each element of a list, some of them at once.
#include <nlohmann/json.hpp>

#include "pipelines/execution.h"
#include "pipelines/input.h"
#include "pipelines/step_event.h"
#include "pipelines/value.h"

namespace mayfly::pipelines {

using nlohmann::json;

Execution::Next Execution::enter_fan_out(const Step& step) {
  const auto path = Path::parse(step.each);
  if (!path) return std::unexpected(path.error());
  const auto list = values_.find(*path);
  if (!list) return std::unexpected(list.error());
  const auto number = begin_entry(step);
  if (*list == nullptr || !(*list)->is_array())
    return fail_step(number, {"pipelines:bad-path", step.each + " leads to no list"});
  if ((*list)->size() > kMaxItems)
    return fail_step(number, {"pipelines:too-large",
                              step.each + " has more than " + std::to_string(kMaxItems) + " elements"});
  head_.trace[number].items = (*list)->size();
  for (std::size_t i = 0; i < (*list)->size(); ++i) {
    const auto text = text_of((**list)[i]);
    if (auto put = transaction_.put(items_prefix(run_, number) + index_text(i), text); !put)
      return propagate(put);
  }
  return go_on_with_calls(number);
}

/// As many as there is room for; none once one has failed. Where the inputs are large, some now and the rest
/// when one of them has ended.
Result<void> Execution::begin_calls(std::size_t number) {
  const auto& step = *step_of(head_.trace[number]);
  const auto most = static_cast<std::size_t>(step.delivery.concurrency);
  std::size_t written = 0;
  while (head_.trace[number].next < *head_.trace[number].items && head_.trace[number].open < most &&
         !head_.trace[number].failure && written < kMaxAtOnce) {
    const auto begun = begin_one_call(number, step);
    if (!begun) return std::unexpected(begun.error());
    written += *begun;
  }
  return {};
}

Result<std::size_t> Execution::begin_one_call(std::size_t number, const Step& step) {
  auto& entry = head_.trace[number];
  const auto index = entry.next++;
  const auto key = items_prefix(run_, number) + index_text(index);
  auto item = transaction_.get(key);
  if (!item) return propagate(item);
  if (auto removed = transaction_.remove(key); !removed) return propagate(removed);
  values_.set_item(item->value_or("null"), index);
  auto rendered = step.input.empty() ? checked_input(item->value_or("null")) : render(step.input, values_);
  if (!rendered) return propagate(rendered);
  auto input = counted(std::move(*rendered));
  if (!input) {
    entry.failure = std::move(input.error());
    return 0;
  }
  const auto size = input->size();
  auto delivery = append(call_event({run_, number, index}, step, step.function, std::move(*input)));
  if (!delivery) return propagate(delivery);
  ++entry.open;
  if (auto put = transaction_.put(calls_prefix(run_, number) + index_text(index), *delivery); !put)
    return propagate(put);
  return size;
}

Result<void> Execution::end_call(std::size_t number, std::size_t index, const CallEnd& end) {
  const auto call = calls_prefix(run_, number) + index_text(index);
  auto open = transaction_.get(call);
  if (!open) return propagate(open);
  if (!*open) return {};  // it was told before
  if (auto removed = transaction_.remove(call); !removed) return removed;
  if (auto noted = note_call(number, index, end); !noted) return noted;
  // What has failed, or was cancelled, keeps the results that come late.
  if (head_.trace[number].state != EntryState::running) return save();
  return go_on(go_on_with_calls(number));
}

/// The first failure counts.
Result<void> Execution::note_call(std::size_t number, std::size_t index, const CallEnd& end) {
  auto& entry = head_.trace[number];
  --entry.open;
  if (end.body) ++entry.done;  // whether it can be used or not
  auto value = end.body ? to_value(*end.body) : std::unexpected(end.failure);
  if (value && entry.bytes + value->size() + 2 > kMaxJoined)
    value = std::unexpected(Failure{"pipelines:too-large", "all outputs together are too large"});
  value = counted(std::move(value));
  if (!value) {
    if (!entry.failure && entry.state == EntryState::running)
      entry.failure =
          Failure{value.error().type, "call " + std::to_string(index) + ": " + value.error().message};
    return {};
  }
  entry.bytes += value->size() + 1;
  return transaction_.put(outputs_prefix(run_, number) + index_text(index), *value);
}

/// What was done has to be known before it is undone: so a step with an undo has failed only when its calls
/// under way have ended, too.
Execution::Next Execution::go_on_with_calls(std::size_t number) {
  if (auto begun = begin_calls(number); !begun) return propagate(begun);
  const auto& entry = head_.trace[number];
  const auto& step = *step_of(entry);
  if (entry.failure && (entry.open == 0 || step.undo.empty())) {
    if (auto done = transaction_.expire(items_prefix(run_, number), transaction_.now()); !done)
      return propagate(done);
    if (is_cancelled()) {
      if (auto done = end_cancelled(number, std::nullopt); !done) return propagate(done);
      return std::nullopt;
    }
    return fail_step(number, Failure(*entry.failure));
  }
  if (!entry.failure && entry.done == *entry.items) return join(number);
  return std::nullopt;
}

Execution::Next Execution::join(std::size_t number) {
  const auto prefix = outputs_prefix(run_, number);
  auto outputs = transaction_.list({.prefix = prefix, .limit = kMaxItems});
  if (!outputs) return propagate(outputs);
  std::string list = "[";
  list.reserve(head_.trace[number].bytes + 2);
  for (const auto& output : *outputs) {
    if (list.size() > 1) list += ',';
    list += output.value;
  }
  if (auto done = transaction_.expire(prefix, transaction_.now()); !done) return propagate(done);
  return succeed(number, list + "]");
}

/// What the calls gave that succeeded, null for the others.
Result<std::string> Execution::partial_output(std::size_t number) {
  const auto prefix = outputs_prefix(run_, number);
  auto outputs = transaction_.list({.prefix = prefix, .limit = kMaxItems});
  if (!outputs) return propagate(outputs);
  std::string list = "[";
  auto next = outputs->begin();
  for (std::size_t i = 0; i < *head_.trace[number].items; ++i) {
    if (i > 0) list += ',';
    const bool is_here = next != outputs->end() && next->key == prefix + index_text(i);
    list += is_here ? next->value : "null";
    if (is_here) ++next;
  }
  return list + "]";
}

}  // namespace mayfly::pipelines
