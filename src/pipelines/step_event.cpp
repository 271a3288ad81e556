#include "pipelines/step_event.h"

#include "base/fields.h"
#include "base/text.h"

namespace mayfly::pipelines {

using std::chrono::milliseconds;

namespace {

/// A timer is never too old: what it wakes looks itself whether it is still wanted.
constexpr milliseconds kTimerAge = std::chrono::hours(24) * 365;

void append(std::string& fields, std::string_view name, std::int64_t number) {
  append_field(fields, name, std::to_string(number));
}

events::NewEvent event_of(const StepRef& ref) {
  events::NewEvent event;
  event.form = events::Form::step;
  append_field(event.fields, "pipeline", ref.run.pipeline);
  append_field(event.fields, "run", ref.run.id);
  append(event.fields, "entry", static_cast<std::int64_t>(ref.entry));
  if (ref.index) append(event.fields, "index", static_cast<std::int64_t>(*ref.index));
  return event;
}

std::optional<std::int64_t> number_at(const events::NewEvent& event, std::string_view name) {
  return parse_integer(field_value(event.fields, name));
}

void take(const events::NewEvent& event, std::string_view name, milliseconds& time) {
  if (const auto number = number_at(event, name)) time = milliseconds(*number);
}

}  // namespace

events::NewEvent call_event(const StepRef& ref, const Step& step, std::string function, std::string input) {
  auto event = event_of(ref);
  event.target = std::move(function);
  event.body = std::move(input);
  append(event.fields, "attempts", step.delivery.attempts);
  append(event.fields, "backoff", step.delivery.backoff.count());
  append(event.fields, "backoff_max", step.delivery.backoff_max.count());
  append(event.fields, "max_age", step.delivery.max_age.count());
  if (step.timeout) append(event.fields, "timeout", step.timeout->count());
  return event;
}

events::NewEvent timer_event(const StepRef& ref, WallTime when, WallTime now) {
  auto event = event_of(ref);
  event.not_before = when;
  const auto age = std::chrono::duration_cast<milliseconds>(when - now) + kTimerAge;
  append(event.fields, "max_age", age.count());
  return event;
}

std::optional<StepRef> step_ref(const events::NewEvent& event) {
  if (event.form != events::Form::step) return std::nullopt;
  StepRef ref;
  std::optional<std::int64_t> entry;
  for_each_field(event.fields, [&](std::string_view name, std::string_view value) {
    if (name == "pipeline") ref.run.pipeline = value;
    if (name == "run") ref.run.id = value;
    if (name == "entry") entry = parse_integer(value);
    if (const auto index = name == "index" ? parse_integer(value) : std::nullopt)
      ref.index = static_cast<std::size_t>(*index);
  });
  if (ref.run.pipeline.empty() || ref.run.id.empty() || !entry || *entry < 0) return std::nullopt;
  ref.entry = static_cast<std::size_t>(*entry);
  return ref;
}

bool is_timer(const events::NewEvent& event) {
  return event.form == events::Form::step && event.target.empty();
}

events::Policy policy_of(const events::NewEvent& event, const events::Policy& otherwise) {
  auto policy = otherwise;
  if (const auto attempts = number_at(event, "attempts")) policy.attempts = static_cast<int>(*attempts);
  take(event, "backoff", policy.backoff);
  take(event, "backoff_max", policy.backoff_max);
  take(event, "max_age", policy.max_age);
  return policy;
}

std::optional<milliseconds> timeout_of(const events::NewEvent& event) {
  const auto number = number_at(event, "timeout");
  return number ? std::optional(milliseconds(*number)) : std::nullopt;
}

}  // namespace mayfly::pipelines
