#include "registry/trigger_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "registry/config_choices.h"
#include "registry/trigger_keys.h"

namespace mayfly::registry {

using nlohmann::json;

namespace {

bool is_text(const json& value) { return value.is_string(); }
bool is_list(const json& value) { return value.is_array() && std::ranges::all_of(value, is_text); }

/// A table of texts, or of lists and of texts beside them.
ConfigValue table_value(const json& object) {
  std::map<std::string, std::vector<std::string>> lists;
  for (const auto& [name, item] : object.items()) {
    if (!is_text(item) && !is_list(item)) return std::monostate{};
    lists[name] = is_text(item) ? std::vector{item.get<std::string>()} : item.get<std::vector<std::string>>();
  }
  if (!std::ranges::all_of(object, is_text)) return lists;
  std::map<std::string, std::string> texts;
  for (auto& [name, list] : lists) texts[name] = std::move(list.front());
  return texts;
}

}  // namespace

ConfigValue config_value(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (value.is_number_float()) return value.get<double>();
  if (is_list(value)) return value.get<std::vector<std::string>>();
  if (value.is_object()) return table_value(value);
  return std::monostate{};
}

void put_delivery(json& object, const DeliveryPolicy& policy) {
  object["attempts"] = policy.attempts;
  object["backoff"] = format_duration(policy.backoff);
  object["backoff_max"] = format_duration(policy.backoff_max);
  object["max_age"] = format_duration(policy.max_age);
}

json trigger_to_json(const Trigger& trigger) {
  json object;
  if (const auto* topic = std::get_if<TopicTrigger>(&trigger.source)) {
    object = {{"topic", topic->topic},
              {"batch", topic->batch},
              {"batch_wait", format_duration(topic->batch_wait)},
              {"ordered", topic->ordered},
              {"concurrency", trigger.delivery.concurrency}};
    if (!topic->filter.empty()) object["filter"] = topic->filter;
  } else {
    const auto& schedule = std::get<ScheduleTrigger>(trigger.source);
    object = {{"schedule", schedule.schedule},
              {"timezone", schedule.timezone},
              {"missed", name_of(kMissed, schedule.missed)}};
    if (!schedule.payload.empty()) object["payload"] = schedule.payload;
  }
  put_delivery(object, trigger.delivery);
  return object;
}

Result<void> read_triggers(FunctionConfig& config, const json& list) {
  for (const auto& object : list) {
    auto trigger = make_trigger(object.contains("topic"), object.contains("schedule"));
    if (!trigger) return propagate(trigger);
    for (const auto& [key, value] : object.items())
      if (auto set = set_trigger_key(*trigger, key, config_value(value)); !set) return set;
    if (auto added = add_trigger(config, std::move(*trigger)); !added) return added;
  }
  return {};
}

}  // namespace mayfly::registry
