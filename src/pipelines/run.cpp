#include "pipelines/run.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

namespace mayfly::pipelines {

using nlohmann::json;

namespace {

constexpr std::array<std::string_view, 5> kRunStates{"running", "compensating", "succeeded", "failed",
                                                     "cancelled"};
constexpr std::array<std::string_view, 5> kEntryStates{"running", "waiting", "succeeded", "failed",
                                                       "cancelled"};

template <class State>
State state_at(const json& object, const char* key, const std::array<std::string_view, 5>& names) {
  const auto& name = object.at(key).get_ref<const std::string&>();
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) throw json::other_error::create(501, "no state", &object);
  return static_cast<State>(found - names.begin());
}

template <class Number>
void put(json& object, const char* key, Number value) {
  if (value != 0) object[key] = value;
}

template <class Number>
void take(const json& object, const char* key, Number& value) {
  value = object.value(key, Number{0});
}

void take(const json& object, const char* key, std::optional<std::size_t>& value) {
  if (object.contains(key)) value = object[key].get<std::size_t>();
}

Failure failure_from(const json& object) { return {object.at("type"), object.at("message")}; }

std::optional<StepFailure> step_failure(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return std::nullopt;
  return StepFailure{found->at("step"), failure_from(*found)};
}

json entry_json(const Entry& entry) {
  json object{{"step", entry.step}, {"state", name_of(entry.state)}, {"started", entry.started}};
  put(object, "finished", entry.finished);
  put(object, "until", entry.until);
  if (!entry.delivery.empty()) object["delivery"] = entry.delivery;
  if (entry.output) object["output"] = true;
  if (entry.failure) object["failure"] = {{"type", entry.failure->type}, {"message", entry.failure->message}};
  if (entry.undo_of) object["undo_of"] = *entry.undo_of;
  if (entry.items) object["items"] = *entry.items;
  put(object, "next", entry.next);
  put(object, "open", entry.open);
  put(object, "done", entry.done);
  put(object, "bytes", entry.bytes);
  return object;
}

Entry entry_from(const json& object) {
  Entry entry;
  entry.step = object.at("step");
  entry.state = state_at<EntryState>(object, "state", kEntryStates);
  entry.started = object.at("started");
  take(object, "finished", entry.finished);
  take(object, "until", entry.until);
  entry.delivery = object.value("delivery", "");
  entry.output = object.value("output", false);
  if (object.contains("failure")) entry.failure = failure_from(object["failure"]);
  take(object, "undo_of", entry.undo_of);
  take(object, "items", entry.items);
  take(object, "next", entry.next);
  take(object, "open", entry.open);
  take(object, "done", entry.done);
  take(object, "bytes", entry.bytes);
  return entry;
}

Head head_from(const json& object) {
  Head head;
  head.state = state_at<RunState>(object, "state", kRunStates);
  head.started = object.at("started");
  take(object, "finished", head.finished);
  take(object, "revision", head.revision);
  take(object, "bytes", head.bytes);
  head.error = step_failure(object, "error");
  head.caught = step_failure(object, "caught");
  head.ends = state_at<RunState>(object, "ends", kRunStates);
  if (object.contains("compensated")) head.compensated = object["compensated"].get<bool>();
  for (const auto& entry : object.at("trace")) head.trace.push_back(entry_from(entry));
  return head;
}

}  // namespace

std::string_view name_of(RunState state) { return kRunStates.at(static_cast<std::size_t>(state)); }
std::string_view name_of(EntryState state) { return kEntryStates.at(static_cast<std::size_t>(state)); }

json to_json(const StepFailure& error) {
  return {{"step", error.step}, {"type", error.failure.type}, {"message", error.failure.message}};
}

std::string to_json(const Head& head) {
  json object{{"state", name_of(head.state)},
              {"started", head.started},
              {"ends", name_of(head.ends)},
              {"trace", json::array()}};
  put(object, "finished", head.finished);
  put(object, "revision", head.revision);
  put(object, "bytes", head.bytes);
  if (head.error) object["error"] = to_json(*head.error);
  if (head.caught) object["caught"] = to_json(*head.caught);
  if (head.compensated) object["compensated"] = *head.compensated;
  for (const auto& entry : head.trace) object["trace"].push_back(entry_json(entry));
  return text_of(object);
}

std::optional<Head> head_from_json(std::string_view text) {
  try {
    return head_from(json::parse(text));
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

std::optional<std::size_t> last_step(const Head& head) {
  const auto found =
      std::find_if(head.trace.rbegin(), head.trace.rend(), [](const Entry& entry) { return !entry.undo_of; });
  if (found == head.trace.rend()) return std::nullopt;
  return static_cast<std::size_t>(head.trace.rend() - found) - 1;
}

}  // namespace mayfly::pipelines
