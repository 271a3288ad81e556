#include "daemon/event_payload.h"

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cloudevents/http_binding.h"
#include "cloudevents/json_format.h"
#include "intake/async_request.h"

namespace mayfly::daemon {

using nlohmann::json;

namespace {

/// As it came, to the version that it named.
void put_request(admin::InvokeRequest& request, const events::Event& event) {
  request.method = event.method;
  request.target = event.target;
  request.body = event.body;
  request.event = event.form == events::Form::payload;
  cloudevents::for_each_field(event.fields, [&](std::string_view name, std::string_view value) {
    if (name == intake::kReferenceField)
      request.function.append("@").append(value);
    else
      request.headers.emplace_back(name, value);
  });
}

/// As the JSON format has it, but with the attributes apart.
json message_json(const events::Task::Item& item) {
  const auto event = cloudevents::from_fields(item.event->fields, item.event->body);
  auto whole = json::parse(cloudevents::to_json(event));
  json message{{"id", events::to_text(item.id)},
               {"timestamp", timestamp(item.event->accepted)},
               {"attempts", item.attempt},
               {"attributes", json::object()}};
  for (const auto& [name, value] : event.attributes) message["attributes"][name] = value;
  for (const char* data : {"data", "data_base64"})
    if (const auto found = whole.find(data); found != whole.end()) message[data] = std::move(*found);
  return message;
}

/// For a runtime's bridge.
void put_batch(admin::InvokeRequest& request, const events::Task& task) {
  json body{{"queue", task.queue.substr(0, task.queue.rfind('>'))}, {"messages", json::array()}};
  for (const auto& item : task.items) body["messages"].push_back(message_json(item));
  request.event = true;
  request.headers = {{"mayfly-event", "queue"}, {"content-type", "application/json"}};
  request.body = body.dump(-1, ' ', false, json::error_handler_t::replace);
}

json schedule_json(const events::Event& event) {
  json body = json::object();
  cloudevents::for_each_field(event.fields, [&](std::string_view name, std::string_view value) {
    const auto millis = name == "time" ? parse_integer(value) : std::nullopt;
    body[name] = millis ? timestamp(WallTime{} + milliseconds(*millis)) : std::string(value);
  });
  if (event.body.empty()) return body;
  auto payload = json::parse(event.body, nullptr, false);
  body["payload"] = payload.is_discarded() ? json(event.body) : std::move(payload);
  return body;
}

void put_schedule(admin::InvokeRequest& request, const events::Event& event) {
  request.event = true;
  request.headers = {{"mayfly-event", "schedule"}, {"content-type", "application/json"}};
  request.body = schedule_json(event).dump(-1, ' ', false, json::error_handler_t::replace);
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
  if (!about.contains("payload")) return event;
  event.set("datacontenttype", "application/json");
  event.data = about["payload"].dump(-1, ' ', false, json::error_handler_t::replace);
  return event;
}

/// For programs that know HTTP alone.
void put_http(admin::InvokeRequest& request, const events::Task::Item& item) {
  const bool scheduled = item.event->form == events::Form::schedule;
  auto message = cloudevents::to_binary(
      scheduled ? schedule_event(item) : cloudevents::from_fields(item.event->fields, item.event->body));
  cloudevents::for_each_field(message.fields, [&](std::string_view name, std::string_view value) {
    request.headers.emplace_back(name, value);
  });
  request.body = std::move(message.body);
}

}  // namespace

admin::InvokeRequest event_request(const events::Task& task, registry::Runtime runtime) {
  using events::Form;
  admin::InvokeRequest request;
  request.function = task.function;
  const auto& first = task.items.front();
  request.invocation = events::to_text(first.id);
  const auto form = first.event->form;
  const bool http = runtime == registry::Runtime::native || runtime == registry::Runtime::exec;
  if (form == Form::request || form == Form::payload)
    put_request(request, *first.event);
  else if (http)
    put_http(request, first);
  else if (form == Form::schedule)
    put_schedule(request, *first.event);
  else
    put_batch(request, task);
  return request;
}

}  // namespace mayfly::daemon
