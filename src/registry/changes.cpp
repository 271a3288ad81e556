#include "registry/changes.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "registry/config_keys.h"

namespace mayfly::registry {
namespace {

using nlohmann::json;

/// One line of a configuration.
struct Setting {
  std::string value;              // as a setting has it
  std::vector<std::string> keep;  // the settings that say it
  bool shown = true;
};
using Settings = std::map<std::string, Setting>;

/// A longer text (a payload) is not shown.
constexpr std::size_t kShown = 200;

/// Stands for a text that is too long: different ones are told apart.
std::string digest_like(const std::string& text) {
  return "(" + std::to_string(text.size()) + " bytes, " + std::to_string(std::hash<std::string>{}(text)) +
         ")";
}

std::string text_of(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return value.dump();
  std::string text;
  for (const auto& one : value) text += (text.empty() ? "" : ",") + text_of(one);
  return text;
}

std::string joined(const std::vector<std::string>& items) {
  std::string text;
  for (const auto& item : items) text += (text.empty() ? "" : ",") + item;
  return text;
}

void add(Settings& settings, const std::string& key, const json& value) {
  const auto text = text_of(value);
  settings[key] = {text, {key + "=" + text}};
}

/// A trigger without what makes it this one: "batch=10 filter.type=image.*".
Setting trigger_setting(const std::string& key, const json& trigger, const json& defaults) {
  Setting setting{"", {key}};
  const auto say = [&](const std::string& name, const json& value) {
    const auto text = text_of(value);
    const bool is_short = text.size() <= kShown;
    setting.value += (setting.value.empty() ? "" : " ") + name + "=" + (is_short ? text : digest_like(text));
    setting.keep.push_back("on." + name + "=" + (is_short ? text : "..."));
  };
  for (const auto& [name, value] : trigger.items()) {
    if (name == "topic" || name == "schedule" || (defaults.contains(name) && defaults[name] == value))
      continue;
    if (name != "filter") {
      say(name, value);
      continue;
    }
    for (const auto& [attribute, patterns] : value.items()) say("filter." + attribute, patterns);
  }
  return setting;
}

/// With what a trigger of its kind has if nothing is said.
json plain_trigger(const json& trigger) {
  FunctionConfig config;
  if (trigger.contains("topic"))
    config.on.push_back(Trigger{TopicTrigger{.topic = "x"}});
  else
    config.on.push_back(Trigger{ScheduleTrigger{.schedule = "x"}});
  return json::parse(config_to_json(config))["on"][0];
}

void add_triggers(Settings& settings, const json& triggers) {
  for (const auto& trigger : triggers) {
    const bool is_topic = trigger.contains("topic");
    const auto first =
        is_topic ? "on.topic=" + text_of(trigger["topic"]) : "on.schedule=" + text_of(trigger["schedule"]);
    auto key = first;
    if (!is_topic && trigger["timezone"] != "UTC") key += " " + text_of(trigger["timezone"]);
    auto setting = trigger_setting(first, trigger, plain_trigger(trigger));
    if (setting.value.empty()) setting.value = "set";
    settings[key] = std::move(setting);
  }
}

/// Divided by blanks where they are stored; a list as the others are.
void add_scopes(Setting& scopes) {
  std::ranges::replace(scopes.value, ' ', ',');
  scopes.keep = {"jwt.scopes=" + scopes.value};
}

Settings settings_of(const FunctionConfig& config) {
  Settings settings;
  const auto object = json::parse(config_to_json(config));
  for (const auto& [key, value] : object.items()) {
    if (key == "on") {
      add_triggers(settings, value);
    } else if (key == "env") {
      for (const auto& [name, text] : value.items())
        settings["env." + name] = {text_of(text), {"env." + name + "=..."}, false};
    } else if (value.is_object()) {
      for (const auto& [name, part] : value.items()) add(settings, key + "." + name, part);
      if (const auto scopes = settings.find("jwt.scopes"); scopes != settings.end())
        add_scopes(scopes->second);
    } else if (value.is_array()) {
      if (!value.empty()) add(settings, key, value);
    } else {
      add(settings, key, value);
    }
  }
  return settings;
}

bool is_list(std::string_view key) {
  constexpr std::array<std::string_view, 8> kLists{"calls",     "datasets", "jwt.scopes", "network_allow",
                                                   "publishes", "routes",   "secrets",    "wrap"};
  return std::ranges::find(kLists, key) != kLists.end();
}

std::vector<std::string> items_of(const std::string& text) {
  std::vector<std::string> items;
  for (std::string_view rest = text; !rest.empty();) {
    const auto comma = std::min(rest.find(','), rest.size());
    items.emplace_back(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return items;
}

/// A list loses what is not in it any more; what it has more is added. To keep is what was, and what is new.
void compare_lists(Change& change) {
  auto all = items_of(change.before);
  const auto now = items_of(change.after);
  const bool lost =
      std::ranges::any_of(all, [&](const auto& item) { return std::ranges::find(now, item) == now.end(); });
  if (lost)
    change.kind = ChangeKind::lost;
  else
    change.kind = now.size() > all.size() ? ChangeKind::added : ChangeKind::changed;
  for (const auto& item : now)
    if (std::ranges::find(all, item) == all.end()) all.push_back(item);
  change.keep = {change.key + "=" + joined(all)};
}

/// Less is forbidden than was.
bool is_weaker(const std::string& key, const FunctionConfig& before, const FunctionConfig& after) {
  if (key == "access") return after.access == Access::everyone;
  if (key == "network") return after.network > before.network;
  if (key == "isolation") return before.isolation == Isolation::request;
  return false;
}

}  // namespace

std::string_view name_of(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::added:
      return "added";
    case ChangeKind::changed:
      return "changed";
    case ChangeKind::lost:
      return "lost";
    case ChangeKind::weakened:
      return "weakened";
  }
  return "changed";
}

std::vector<Change> changes_between(const FunctionConfig& before, const FunctionConfig& after) {
  const auto old = settings_of(before);
  const auto fresh = settings_of(after);
  const auto plain = settings_of(FunctionConfig{});
  std::map<std::string, Change> changes;
  const auto value_in = [](const Settings& settings, const std::string& key) {
    const auto found = settings.find(key);
    return found == settings.end() ? std::string() : found->second.value;
  };
  const auto look_at = [&](const std::string& key, const Setting& setting) {
    Change change{key, ChangeKind::changed, value_in(old, key), value_in(fresh, key)};
    const bool was = old.contains(key) && change.before != value_in(plain, key);
    const bool is = fresh.contains(key) && change.after != value_in(plain, key);
    if (change.before == change.after && old.contains(key) == fresh.contains(key)) return;
    if (was && old.contains(key)) change.keep = old.at(key).keep;
    if (is_list(key))
      compare_lists(change);
    else if (was != is)
      change.kind = is ? ChangeKind::added : ChangeKind::lost;
    if (is_weaker(key, before, after)) {
      change.kind = ChangeKind::weakened;
      change.keep = {key + "=" + change.before};
    }
    if (!setting.shown) change.before = change.after = "";
    changes[key] = std::move(change);
  };
  for (const auto& [key, setting] : old) look_at(key, setting);
  for (const auto& [key, setting] : fresh) look_at(key, setting);
  std::vector<Change> all;
  for (auto& [key, change] : changes) all.push_back(std::move(change));
  return all;
}

}  // namespace mayfly::registry
