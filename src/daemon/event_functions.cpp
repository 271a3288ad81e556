#include "daemon/event_functions.h"

#include <spdlog/spdlog.h>

#include "cloudevents/filter.h"
#include "daemon/event_payload.h"
#include "pipelines/role.h"
#include "registry/main_version.h"
#include "schedule/schedule.h"

namespace mayfly::daemon {
namespace {

events::Policy policy_of(const registry::DeliveryPolicy& delivery) {
  events::Policy policy;
  policy.attempts = delivery.attempts;
  policy.backoff = delivery.backoff;
  policy.backoff_max = delivery.backoff_max;
  policy.max_age = delivery.max_age;
  policy.concurrency = delivery.concurrency;
  return policy;
}

/// Whose triggers they are.
struct Subscriber {
  std::string name;  ///< for logs
  WallTime since;    ///< when it was deployed
  EventForm form;    ///< in which it gets events
};

events::FunctionEvents::Subscription subscription_of(const registry::TopicTrigger& topic,
                                                     const Subscriber& subscriber,
                                                     const registry::DeliveryPolicy& delivery) {
  events::FunctionEvents::Subscription subscription{topic.topic, policy_of(delivery), {}};
  auto& policy = subscription.policy;
  policy.batch = subscriber.form == EventForm::delivery ? topic.batch : 1;
  policy.as_requests = subscriber.form == EventForm::http;
  policy.batch_wait = topic.batch_wait;
  policy.ordered = topic.ordered;
  if (topic.filter.empty()) return subscription;
  auto filter = cloudevents::Filter::make(topic.filter);
  if (!filter) {  // was checked at deploy
    spdlog::error("{}: the filter for the topic {} lets nothing through: {}", subscriber.name, topic.topic,
                  filter.error().message);
    subscription.filter = [](const events::Event&) { return false; };
    return subscription;
  }
  subscription.filter = [its = std::move(*filter)](const events::Event& event) {
    return its.matches(event.fields);
  };
  return subscription;
}

std::optional<events::ScheduleSpec> schedule_of(const registry::ScheduleTrigger& trigger,
                                                const Subscriber& subscriber,
                                                const registry::DeliveryPolicy& delivery) {
  auto schedule = schedule::Schedule::parse(trigger.schedule, trigger.timezone);
  if (!schedule) {  // was checked at deploy; the time zones of the system may have changed since
    spdlog::error("{}: the schedule '{}' is not run: {}", subscriber.name, trigger.schedule,
                  schedule.error().message);
    return std::nullopt;
  }
  events::ScheduleSpec spec;
  spec.text = trigger.schedule;
  spec.timezone = trigger.timezone;
  spec.run_missed = trigger.missed == registry::Missed::once;
  spec.payload = trigger.payload;
  spec.policy = policy_of(delivery);
  spec.policy.as_requests = subscriber.form == EventForm::http;
  spec.since = subscriber.since;
  spec.next = [its = *schedule](WallTime after) -> std::optional<WallTime> {
    return its.next_after(std::chrono::floor<milliseconds>(after));
  };
  return spec;
}

void add_triggers(events::FunctionEvents& result, const std::vector<registry::Trigger>& triggers,
                  const Subscriber& subscriber) {
  for (const auto& trigger : triggers) {
    if (const auto* topic = std::get_if<registry::TopicTrigger>(&trigger.source))
      result.subscriptions.push_back(subscription_of(*topic, subscriber, trigger.delivery));
    else if (const auto spec = schedule_of(std::get<registry::ScheduleTrigger>(trigger.source), subscriber,
                                           trigger.delivery))
      result.schedules.push_back(*spec);
  }
}

}  // namespace

events::FunctionEvents events_of(const registry::Function& function) {
  const auto& version = *registry::main_version(function);
  events::FunctionEvents result;
  result.async = policy_of(version.config.async.delivery);
  result.async.keep_result = version.config.async.keep_result;
  add_triggers(result, version.config.on, {version.address(), version.created, event_form(version)});
  return result;
}

events::FunctionEvents events_of_pipeline(const std::string& name, const pipelines::DefinitionPtr& stored) {
  // All that its runs have open at once. How often a call is attempted is said by its step.
  constexpr int kOpenCalls = 1000;
  events::FunctionEvents result;
  result.async.concurrency = kOpenCalls;
  result.role = pipelines::queue_role(name);
  if (stored)
    add_triggers(result, stored->definition.on,
                 {"pipeline " + name, WallTime{} + milliseconds(stored->changed), EventForm::http});
  return result;
}

}  // namespace mayfly::daemon
