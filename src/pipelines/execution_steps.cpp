// The steps of each kind, as they are begun. Fan-outs are in execution_fan_out.cpp.
#include <nlohmann/json.hpp>

#include "pipelines/execution.h"
#include "pipelines/input.h"
#include "pipelines/kept_events.h"
#include "pipelines/step_event.h"

namespace mayfly::pipelines {

using nlohmann::json;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kAwait = std::chrono::hours(24);

/// What a branch compares; nothing: there is no text of lists and objects.
std::optional<std::string> case_text(const json* value) {
  if (value == nullptr) return "null";
  if (value->is_string()) return value->get<std::string>();
  if (value->is_structured()) return std::nullopt;
  return value->dump();
}

}  // namespace

std::size_t Execution::begin_entry(const Step& step) {
  head_.trace.push_back({.step = step.name, .started = now()});
  return head_.trace.size() - 1;
}

Result<std::expected<std::string, Failure>> Execution::input_of(const Step& step) {
  if (!step.input.empty()) return render(step.input, values_);
  auto previous = values_.previous();
  if (!previous) return propagate(previous);
  return checked_input(std::move(*previous));
}

Execution::Next Execution::enter_call(const Step& step) {
  auto rendered = input_of(step);
  if (!rendered) return propagate(rendered);
  const auto number = begin_entry(step);
  auto input = counted(std::move(*rendered));
  if (!input) return fail_step(number, std::move(input.error()));
  auto delivery = append(call_event({run_, number}, step, step.function, std::move(*input)));
  if (!delivery) return propagate(delivery);
  head_.trace[number].delivery = std::move(*delivery);
  return std::nullopt;
}

Result<void> Execution::begin_waiting(std::size_t number, milliseconds time) {
  const auto when = transaction_.now() + time;
  auto delivery = append(timer_event({run_, number}, when, transaction_.now()));
  if (!delivery) return propagate(delivery);
  auto& entry = head_.trace[number];
  entry.state = EntryState::waiting;
  entry.until = to_millis(when);
  entry.delivery = std::move(*delivery);
  return {};
}

Execution::Next Execution::enter_await(const Step& step) {
  const auto number = begin_entry(step);
  auto come = take_kept_event(transaction_, run_, step.await);
  if (!come) return propagate(come);
  if (*come) return end_with(number, std::move(**come));
  if (auto done = begin_waiting(number, step.timeout.value_or(kAwait)); !done) return propagate(done);
  return std::nullopt;
}

Execution::Next Execution::enter_wait(const Step& step) {
  if (auto done = begin_waiting(begin_entry(step), step.wait); !done) return propagate(done);
  return std::nullopt;
}

Execution::Next Execution::enter_branch(const Step& step) {
  const auto path = Path::parse(step.branch);
  if (!path) return std::unexpected(path.error());
  const auto value = values_.find(*path);
  if (!value) return std::unexpected(value.error());
  const auto text = case_text(*value);
  const auto number = begin_entry(step);
  const auto found = text ? step.cases.find(*text) : step.cases.end();
  if (found == step.cases.end() && step.otherwise.empty())
    return fail_step(
        number, {"pipelines:no-case", step.branch + " is " +
                                          (text ? "'" + text->substr(0, 80) + "'" : "a list or an object") +
                                          ", for which there is no case"});
  if (auto done = succeed(number, std::nullopt); !done) return done;
  return found == step.cases.end() ? step.otherwise : found->second;
}

}  // namespace mayfly::pipelines
