#include "callbacks/message.h"

#include <nlohmann/json.hpp>

#include "base/fields.h"
#include "base/text.h"
#include "cloudevents/base64.h"

namespace mayfly::callbacks {

using nlohmann::json;

namespace {

json result_json(const events::Answer& answer) {
  json headers = json::array();
  for_each_field(answer.headers,
                 [&](std::string_view name, std::string_view value) { headers.push_back({name, value}); });
  json result{{"status", answer.status}, {"headers", std::move(headers)}, {"bytes", answer.body.size()}};
  if (answer.body.size() > kMostBody)
    result["body_omitted"] = true;
  else if (is_plain_text(answer.body))
    result["body"] = answer.body;
  else
    result["body_base64"] = cloudevents::encode_base64(answer.body);
  return result;
}

}  // namespace

std::string message_of(const std::string& function, const events::Event& event, const events::DeliveryId& id,
                       const events::Outcome& end) {
  const std::string state(events::name_of(end.state));
  json data{{"invocation", events::to_text(id)},
            {"function", function},
            {"status", state},
            {"attempts", end.attempts},
            {"accepted", timestamp(event.accepted)}};
  if (end.attempt && !end.attempt->type.empty()) data["error"] = {{"type", end.attempt->type}};
  if (end.answer) data["result"] = result_json(*end.answer);
  const json message{
      {"type", "invocation." + state}, {"timestamp", timestamp(end.at)}, {"data", std::move(data)}};
  return message.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace mayfly::callbacks
