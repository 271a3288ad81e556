#include "intake/status_request.h"

#include "base/fields.h"
#include "intake/async_request.h"
#include "intake/delivery_view.h"

namespace mayfly::intake {
namespace {

using events::DeliveryRecord;

Error unknown() {
  return Error{events::EventsErrc::unknown_delivery, "no such invocation, or not any more", {}};
}

/// Fields of an answer that are not about its framing or this connection.
bool is_kept(std::string_view name) {
  return name != "content-length" && name != "transfer-encoding" && name != "connection" &&
         name != "mayfly-invocation" && name != "server-timing" && name != "date";
}

}  // namespace

void StatusRequest::on_request(const pool::Invocation& invocation, std::string) {
  auto path = invocation.target.substr(0, invocation.target.find('?'));
  path.remove_prefix(std::min(path.size(), kInvocationsPath.size()));
  const auto slash = std::min(path.find('/'), path.size());
  const auto id = events::parse_delivery_id(path.substr(0, slash));
  const auto rest = path.substr(slash);
  if (!id || (!rest.empty() && rest != "/result")) return refuse(unknown());
  const bool read = invocation.method == "GET" || invocation.method == "HEAD";
  if (!rest.empty() && read)
    return engine_.find(*id, here<DeliveryRecord>([this](const auto& record) { on_result(record); }));
  if (rest.empty() && read && id->queue == 0)
    return engine_.deliveries(
        *id, here<events::EventDeliveries>([this, id = *id](const auto& event) { on_event(id, event); }));
  if (rest.empty() && read)
    return engine_.find(*id, here<DeliveryRecord>([this](const auto& record) { on_status(record); }));
  if (rest.empty() && invocation.method == "DELETE")
    return engine_.cancel(*id, here<events::State>([this](auto state) {
      if (!state) return refuse(std::move(state.error()));
      const nlohmann::json body{{"status", events::name_of(*state)}};
      answer_json(200, body.dump());
    }));
  Error error{IntakeErrc::not_allowed, "this method is not for this path", {}};
  refuse(error.with("allow", rest.empty() ? "GET, HEAD, DELETE" : "GET, HEAD"));
}

/// Of a topic's event: one delivery for each subscription; if there is just one, what is known of it as well.
void StatusRequest::on_event(events::DeliveryId id, const Result<events::EventDeliveries>& event) {
  if (!event) return refuse(event.error());
  if (event->topic.empty() && event->deliveries.size() == 1) return on_status(event->deliveries.front());
  if (event->topic.empty()) return refuse(unknown());
  nlohmann::json list = nlohmann::json::array();
  for (const auto& one : event->deliveries) list.push_back(delivery_json(one, Audience::everyone));
  nlohmann::json body = list.size() == 1 ? list.front() : nlohmann::json{{"invocation", events::to_text(id)}};
  if (!list.empty()) body["status"] = events::name_of(event->state());
  std::string headers;
  if (!list.empty() && !events::is_final(event->state())) append_field(headers, "retry-after", "1");
  body["deliveries"] = std::move(list);
  answer_json(200, body.dump(), std::move(headers));
}

void StatusRequest::on_status(const Result<DeliveryRecord>& record) {
  if (!record) return refuse(record.error());
  std::string headers;
  if (!events::is_final(record->state)) append_field(headers, "retry-after", "1");
  answer_json(200, delivery_json(*record, Audience::everyone).dump(), std::move(headers));
}

/// The function's own answer; while there is none, where it stands.
void StatusRequest::on_result(const Result<DeliveryRecord>& record) {
  if (!record) return refuse(record.error());
  if (!events::is_final(record->state)) {
    std::string headers;
    append_field(headers, "retry-after", "1");
    return answer_json(202, delivery_json(*record, Audience::everyone).dump(), std::move(headers));
  }
  if (!record->answer) {
    Error error{events::EventsErrc::no_result, "it has ended without an answer", {}};
    return refuse(error.with("state", std::string(events::name_of(record->state))));
  }
  std::string headers;
  for_each_field(record->answer->headers, [&](std::string_view name, std::string_view value) {
    if (is_kept(name)) append_field(headers, name, value);
  });
  answer(record->answer->status, headers, record->answer->body);
}

}  // namespace mayfly::intake
