#include "daemon/event_payload.h"

#include <nlohmann/json.hpp>

#include "base/fields.h"
#include "base/text.h"
#include "cloudevents/http_binding.h"
#include "cloudevents/json_format.h"
#include "cloudevents/raw_json.h"
#include "intake/async_request.h"
#include "pipelines/step_event.h"
#include "registry/source_kind.h"

namespace mayfly::daemon {

using nlohmann::json;

namespace {

std::string text_of(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

/// As it came, to the version that it named.
void put_request(admin::InvokeRequest& request, const events::Event& event) {
  request.method = event.method;
  request.target = event.target;
  request.body = event.body;
  request.event = event.form == events::Form::payload;
  for_each_field(event.fields, [&](std::string_view name, std::string_view value) {
    if (name == intake::kReferenceField)
      request.function.append("@").append(value);
    else
      request.headers.emplace_back(name, value);
  });
}

/// As the JSON format has it, but with the attributes apart. Data that is JSON goes on as it was written:
/// taken apart and written again, what is nested deeply enough would overflow the stack.
std::string message_json(const events::Task::Item& item) {
  const auto event = cloudevents::from_fields(item.event->fields, item.event->body);
  json attributes = json::object();
  for (const auto& [name, value] : event.attributes) attributes[name] = value;
  const json message{{"id", events::to_text(item.id)},
                     {"timestamp", timestamp(item.event->accepted)},
                     {"attempts", item.attempt},
                     {"attributes", std::move(attributes)}};
  auto text = text_of(message);
  const auto whole = cloudevents::to_json(event);
  for (const auto& [name, value] : cloudevents::members_of(whole)) {
    if (name != "data" && name != "data_base64") continue;
    text.back() = ',';
    text.append("\"").append(name).append("\":").append(value).append("}");
  }
  return text;
}

/// For a runtime's bridge.
void put_batch(admin::InvokeRequest& request, const events::Task& task) {
  request.event = true;
  request.headers = {{"mayfly-event", "queue"}, {"content-type", "application/json"}};
  auto& body = request.body;
  body = "{\"queue\":" + text_of(json(task.queue.substr(0, task.queue.rfind('>')))) + ",\"messages\":[";
  for (const auto& item : task.items) body.append(message_json(item)).append(",");
  body.back() = ']';
  body += '}';
}

/// A schedule's text, time zone and time.
json schedule_json(const events::Event& event) {
  json about = json::object();
  for_each_field(event.fields, [&](std::string_view name, std::string_view value) {
    const auto millis = name == "time" ? parse_integer(value) : std::nullopt;
    about[name] = millis ? timestamp(WallTime{} + milliseconds(*millis)) : std::string(value);
  });
  return about;
}

/// JSON as it is, other text as a string.
std::string payload_json(const std::string& payload) {
  return cloudevents::is_json(payload) ? payload : cloudevents::json_text(payload);
}

void put_schedule(admin::InvokeRequest& request, const events::Event& event) {
  request.event = true;
  request.headers = {{"mayfly-event", "schedule"}, {"content-type", "application/json"}};
  request.body = text_of(schedule_json(event));
  if (event.body.empty()) return;
  request.body.back() = ',';
  request.body.append("\"payload\":").append(payload_json(event.body)).append("}");
}

/// A call of a pipeline's step: a payload, and a timeout that may be shorter than the function's.
void put_call(admin::InvokeRequest& request, const events::Event& event) {
  request.event = true;
  request.headers = {{"content-type", "application/json"}};
  if (const auto ref = pipelines::step_ref(event)) {
    request.headers.emplace_back("mayfly-pipeline", ref->run.pipeline);
    request.headers.emplace_back("mayfly-run", ref->run.id);
  }
  request.timeout = pipelines::timeout_of(event);
  request.body = event.body;
}

cloudevents::CloudEvent schedule_event(const events::Task::Item& item) {
  const auto about = schedule_json(*item.event);
  cloudevents::CloudEvent event;
  event.set("specversion", "1.0");
  event.set("id", events::to_text(item.id));
  event.set("source", "/schedules");
  event.set("type", "mayfly.schedule");
  event.set("time", about["time"].get<std::string>());
  event.set("schedule", about["schedule"].get<std::string>());
  event.set("timezone", about["timezone"].get<std::string>());
  if (item.event->body.empty()) return event;
  event.set("datacontenttype", "application/json");
  event.data = payload_json(item.event->body);
  return event;
}

/// For programs that know HTTP alone.
void put_http(admin::InvokeRequest& request, const events::Task::Item& item) {
  const bool scheduled = item.event->form == events::Form::schedule;
  auto message = cloudevents::to_binary(
      scheduled ? schedule_event(item) : cloudevents::from_fields(item.event->fields, item.event->body));
  for_each_field(message.fields, [&](std::string_view name, std::string_view value) {
    request.headers.emplace_back(name, value);
  });
  request.body = std::move(message.body);
}

}  // namespace

EventForm event_form(const registry::Version& version) {
  const bool http = version.runtime == registry::Runtime::native ||
                    (version.runtime == registry::Runtime::exec && !registry::speaks_lambda(version));
  return http ? EventForm::http : EventForm::delivery;
}

std::optional<EventForm> form_of(const events::Task& task) {
  const auto form = task.items.front().event->form;
  if (form != events::Form::event && form != events::Form::schedule) return std::nullopt;
  return task.as_requests ? EventForm::http : EventForm::delivery;
}

std::size_t sent_of(const events::Task& task) {
  const bool batch = task.items.front().event->form == events::Form::event && !task.as_requests;
  return batch ? task.items.size() : 1;
}

admin::InvokeRequest event_request(const events::Task& task) {
  using events::Form;
  admin::InvokeRequest request;
  request.function = task.function;
  const auto& first = task.items.front();
  request.invocation = events::to_text(first.id);
  const auto form = first.event->form;
  if (form == Form::request || form == Form::payload)
    put_request(request, *first.event);
  else if (form == Form::step)
    put_call(request, *first.event);
  else if (task.as_requests)
    put_http(request, first);
  else if (form == Form::schedule)
    put_schedule(request, *first.event);
  else
    put_batch(request, task);
  return request;
}

}  // namespace mayfly::daemon
