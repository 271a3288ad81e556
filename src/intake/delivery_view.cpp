#include "intake/delivery_view.h"

#include "base/fields.h"
#include "base/text.h"

namespace mayfly::intake {

using nlohmann::json;

namespace {

json headers_json(std::string_view headers) {
  json list = json::array();
  for_each_field(headers,
                 [&](std::string_view name, std::string_view value) { list.push_back({name, value}); });
  return list;
}

json attempt_json(const events::Attempt& attempt, Audience audience) {
  json item{{"number", attempt.number},
            {"started", timestamp(attempt.started)},
            {"ended", timestamp(attempt.ended)}};
  if (!attempt.version.empty()) item["version"] = attempt.version;
  if (!attempt.type.empty()) item["type"] = attempt.type;
  if (!attempt.message.empty() && audience == Audience::developer) item["message"] = attempt.message;
  return item;
}

}  // namespace

json delivery_json(const events::DeliveryRecord& record, Audience audience) {
  json result{{"invocation", events::to_text(record.id)},
              {"status", events::name_of(record.state)},
              {"attempts", record.attempts}};
  if (record.event) result["accepted"] = timestamp(record.event->accepted);
  if (record.finished) result["finished"] = timestamp(*record.finished);
  if (record.state == events::State::failed) result["next_attempt"] = timestamp(record.not_before);
  if (!record.history.empty()) {
    result["history"] = json::array();
    for (const auto& attempt : record.history) result["history"].push_back(attempt_json(attempt, audience));
  }
  if (record.answer)
    result["result"] = {{"status", record.answer->status},
                        {"headers", headers_json(record.answer->headers)},
                        {"bytes", record.answer->body.size()}};
  return result;
}

}  // namespace mayfly::intake
