#include "registry/trigger_keys.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "cloudevents/filter.h"
#include "registry/config_choices.h"
#include "registry/delivery_keys.h"
#include "schedule/schedule.h"

namespace mayfly::registry {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr std::size_t kMaxText = 1024;     // of a schedule, a time zone, a pattern
constexpr std::size_t kMaxPatterns = 100;  // of all attributes of one filter
constexpr std::string_view kOn = "on.";
constexpr std::string_view kAsync = "async.";

TopicTrigger& topic_of(Trigger& trigger) { return std::get<TopicTrigger>(trigger.source); }
ScheduleTrigger& schedule_of(Trigger& trigger) { return std::get<ScheduleTrigger>(trigger.source); }

std::unexpected<Error> bad(std::string key, std::string message) {
  auto error = fail(RegistryErrc::bad_config, std::move(message));
  error.error().with("key", std::move(key));
  return error;
}

Result<void> set_keep_result(AsyncConfig& config, const ConfigValue& value) {
  return take_duration(value, 0ms, 30 * 24h, config.keep_result);
}

Result<void> set_topic(Trigger& trigger, const ConfigValue& value) {
  const auto& name = std::get<std::string>(value);
  if (!is_topic_name(name)) return refused();
  topic_of(trigger).topic = name;
  return {};
}

Result<void> set_filter(Trigger& trigger, const ConfigValue& value) {
  auto filter = topic_of(trigger).filter;
  for (const auto& [attribute, patterns] : std::get<Lists>(value)) {
    if (patterns.empty())
      return fail(RegistryErrc::bad_config, "'" + attribute.substr(0, 80) + "' has no pattern");
    for (const auto& pattern : patterns)
      if (pattern.size() > kMaxText || !is_plain_text(pattern))
        return fail(RegistryErrc::bad_config,
                    "a pattern of '" + attribute.substr(0, 80) + "' is no text of at most 1024 bytes");
    filter[attribute] = patterns;
  }
  std::size_t all = 0;
  for (const auto& [attribute, patterns] : filter) all += patterns.size();
  if (all > kMaxPatterns)
    return fail(RegistryErrc::bad_config,
                "at most " + std::to_string(kMaxPatterns) + " patterns can be listed");
  topic_of(trigger).filter = std::move(filter);
  return {};
}

Result<void> set_batch(Trigger& trigger, const ConfigValue& value) {
  return take_integer<1, 1000>(value, topic_of(trigger).batch);
}

Result<void> set_batch_wait(Trigger& trigger, const ConfigValue& value) {
  return take_duration(value, 0ms, 5min, topic_of(trigger).batch_wait);
}

Result<void> set_ordered(Trigger& trigger, const ConfigValue& value) {
  topic_of(trigger).ordered = std::get<bool>(value);
  return {};
}

Result<void> set_schedule(Trigger& trigger, const ConfigValue& value) {
  const auto& text = std::get<std::string>(value);
  if (text.empty() || text.size() > kMaxText || !is_plain_text(text)) return refused();
  schedule_of(trigger).schedule = text;
  return {};
}

Result<void> set_timezone(Trigger& trigger, const ConfigValue& value) {
  const auto& name = std::get<std::string>(value);
  if (name.empty() || name.size() > kMaxText || !is_plain_text(name)) return refused();
  schedule_of(trigger).timezone = name;
  return {};
}

Result<void> set_missed(Trigger& trigger, const ConfigValue& value) {
  const auto chosen = value_of(kMissed, std::get<std::string>(value));
  if (!chosen) return refused();
  schedule_of(trigger).missed = *chosen;
  return {};
}

Result<void> set_payload(Trigger& trigger, const ConfigValue& value) {
  const auto& text = std::get<std::string>(value);
  if (text.size() > kMaxPayload || !is_plain_text(text)) return refused();
  schedule_of(trigger).payload = text;
  return {};
}

using Key = KeyOf<Trigger>;

constexpr auto kTopicKeys = joined(
    std::array{
        Key{"topic", Kind::text,
            "1 to 128 letters, digits, '.', '_' and '-', beginning with a letter or digit", set_topic},
        Key{"filter", Kind::lists,
            "attributes with a pattern or a list of patterns each, like { type = \"image.*\" }", set_filter},
        Key{"batch", Kind::integer, "1 to 1000", set_batch},
        Key{"batch_wait", Kind::text, "0s to 5m, like \"2s\"", set_batch_wait},
        Key{"ordered", Kind::boolean, "true or false", set_ordered},
        Key{"concurrency", Kind::integer, "1 to 1000", set_concurrency<Trigger>},
    },
    kDeliveryKeys<Trigger>);

constexpr auto kScheduleKeys = joined(
    std::array{
        Key{"schedule", Kind::text,
            "like \"0 3 * * *\", \"@daily\", \"every 15m\" or \"at 2030-01-01T10:00:00Z\"", set_schedule},
        Key{"timezone", Kind::text, "a name like \"Europe/Berlin\"", set_timezone},
        Key{"missed", Kind::text, "\"once\" or \"skip\"", set_missed},
        Key{"payload", Kind::text, "a text of at most 64KiB", set_payload},
    },
    kDeliveryKeys<Trigger>);

constexpr auto kAsyncKeys = joined(
    std::array{
        KeyOf<AsyncConfig>{"concurrency", Kind::integer, "1 to 1000", set_concurrency<AsyncConfig>},
        KeyOf<AsyncConfig>{"keep_result", Kind::text, "0s to 30d, like \"1d\"", set_keep_result},
    },
    kDeliveryKeys<AsyncConfig>);

constexpr std::span<const Key> topic_keys() { return kTopicKeys; }
constexpr std::span<const Key> schedule_keys() { return kScheduleKeys; }
constexpr std::span<const KeyOf<AsyncConfig>> async_keys() { return kAsyncKeys; }

bool is_topic(const Trigger& trigger) { return std::holds_alternative<TopicTrigger>(trigger.source); }
std::span<const Key> keys_of(const Trigger& trigger) {
  return is_topic(trigger) ? topic_keys() : schedule_keys();
}

/// Refuses a key that only the other kind of trigger has.
Result<void> check_kind(const Trigger& trigger, std::string_view name) {
  const auto others = is_topic(trigger) ? schedule_keys() : topic_keys();
  if (find_key(keys_of(trigger), name) != nullptr || find_key(others, name) == nullptr) return {};
  auto key = std::string(kOn) + std::string(name);
  const char* has = is_topic(trigger) ? "topic" : "schedule";
  const char* needs = is_topic(trigger) ? "schedule" : "topic";
  return bad(key, key + " belongs to a trigger with a " + needs + ", and this one has a " + has);
}

bool same_name(const Trigger& a, const Trigger& b) {
  if (is_topic(a) != is_topic(b)) return false;
  if (is_topic(a)) return std::get<TopicTrigger>(a.source).topic == std::get<TopicTrigger>(b.source).topic;
  const auto& first = std::get<ScheduleTrigger>(a.source);
  const auto& second = std::get<ScheduleTrigger>(b.source);
  return first.schedule == second.schedule && first.timezone == second.timezone;
}

std::unexpected<Error> twice(const Trigger& trigger) {
  if (const auto* topic = std::get_if<TopicTrigger>(&trigger.source))
    return bad("on.topic",
               "on.topic: '" + topic->topic + "' is there twice; a filter can list several patterns");
  const auto& schedule = std::get<ScheduleTrigger>(trigger.source);
  return bad("on.schedule", "on.schedule: '" + schedule.schedule + "' is there twice with the time zone " +
                                schedule.timezone);
}

/// Goes on with the trigger that has this topic or schedule, or begins one.
Result<void> begin(FunctionSpec& spec, std::string_view key, const std::string& text) {
  auto trigger = make_trigger(key == "topic", key == "schedule");
  if (!trigger) return propagate(trigger);
  if (auto set = set_trigger_key(*trigger, key, text); !set) return set;
  auto& all = spec.config.on;
  auto found = std::ranges::find_if(all, [&](const Trigger& other) {
    const auto* schedule = std::get_if<ScheduleTrigger>(&other.source);
    return schedule != nullptr ? key == "schedule" && schedule->schedule == text : same_name(other, *trigger);
  });
  if (found == all.end()) found = all.insert(all.end(), std::move(*trigger));
  spec.set_trigger = static_cast<std::size_t>(found - all.begin()) + 1;
  return {};
}

}  // namespace

bool is_topic_name(std::string_view name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  const auto allowed = [&](char c) { return plain(c) || c == '.' || c == '_' || c == '-'; };
  return !name.empty() && name.size() <= 128 && plain(name[0]) && std::ranges::all_of(name, allowed);
}

Result<void> check_delivery(std::string_view prefix, const DeliveryPolicy& policy) {
  if (policy.backoff <= policy.backoff_max) return {};
  const auto key = std::string(prefix) + "backoff";
  return bad(key, key + " (" + format_duration(policy.backoff) + ") is more than backoff_max (" +
                      format_duration(policy.backoff_max) + ")");
}

Result<Trigger> make_trigger(bool has_topic, bool has_schedule) {
  if (has_topic == has_schedule)
    return bad("on", has_topic ? "on: a trigger has a topic or a schedule, not both"
                               : "on: a trigger needs a topic or a schedule");
  if (has_topic) return Trigger{TopicTrigger{}};
  return Trigger{ScheduleTrigger{}};
}

Result<void> set_trigger_key(Trigger& trigger, std::string_view key, const ConfigValue& value) {
  if (auto checked = check_kind(trigger, key); !checked) return checked;
  return set_in(keys_of(trigger), kOn, trigger, key, value);
}

Result<void> check_trigger(const Trigger& trigger) {
  const auto* topic = std::get_if<TopicTrigger>(&trigger.source);
  if (topic != nullptr && topic->batch_wait > 0ms && topic->batch == 1)
    return bad("on.batch_wait", "on.batch_wait needs a batch of more than 1");
  return check_delivery(kOn, trigger.delivery);
}

Result<void> check_meaning(const Trigger& trigger) {
  if (const auto* topic = std::get_if<TopicTrigger>(&trigger.source)) {
    const auto filter = cloudevents::Filter::make(topic->filter);
    return filter ? Result<void>() : bad("on.filter", "on.filter: " + filter.error().message);
  }
  const auto& source = std::get<ScheduleTrigger>(trigger.source);
  const auto zone = schedule::Zone::find(source.timezone);
  if (!zone) return bad("on.timezone", "on.timezone: " + zone.error().message);
  const auto schedule = schedule::Schedule::parse(source.schedule, source.timezone);
  return schedule ? Result<void>() : bad("on.schedule", "on.schedule: " + schedule.error().message);
}

Result<void> add_trigger(FunctionConfig& config, Trigger trigger) {
  if (auto checked = check_trigger(trigger); !checked) return checked;
  const auto same = [&](const Trigger& other) { return same_name(other, trigger); };
  if (std::ranges::any_of(config.on, same)) return twice(trigger);
  if (config.on.size() == kMaxTriggers)
    return bad("on", "on: at most " + std::to_string(kMaxTriggers) + " triggers can be listed");
  config.on.push_back(std::move(trigger));
  return {};
}

Result<void> set_async_key(AsyncConfig& config, std::string_view key, const ConfigValue& value) {
  return set_in(async_keys(), kAsync, config, key, value);
}

Result<void> check_triggers(const FunctionConfig& config) {
  FunctionConfig sum;
  for (const auto& trigger : config.on) {
    if (auto added = add_trigger(sum, trigger); !added) return added;
    if (auto checked = check_meaning(trigger); !checked) return checked;
  }
  return check_delivery(kAsync, config.async.delivery);
}

Result<void> set_trigger_text(FunctionSpec& spec, std::string_view key, std::string_view text) {
  if (key == "topic" || key == "schedule") return begin(spec, key, std::string(text));
  if (spec.set_trigger == 0 || spec.set_trigger > spec.config.on.size())
    return bad("on", "on." + std::string(key.substr(0, 80)) +
                         ": say first which trigger is meant, with on.topic=NAME or on.schedule=WHEN");
  auto& trigger = spec.config.on[spec.set_trigger - 1];
  constexpr std::string_view kFilter = "filter.";
  if (key.starts_with(kFilter))
    return set_trigger_key(trigger, "filter",
                           Lists{{std::string(key.substr(kFilter.size())), split_list(text)}});
  if (auto checked = check_kind(trigger, key); !checked) return checked;
  return set_text_in(keys_of(trigger), kOn, trigger, key, text);
}

Result<void> set_async_text(AsyncConfig& config, std::string_view key, std::string_view text) {
  return set_text_in(async_keys(), kAsync, config, key, text);
}

}  // namespace mayfly::registry
