#include "intake/async_request.h"

#include <nlohmann/json.hpp>

#include "intake/delivery_view.h"

namespace mayfly::intake {

void AsyncRequest::on_request(const pool::Invocation& invocation, std::string body) {
  events::NewEvent event;
  event.form = events::Form::request;
  event.method = invocation.method;
  event.target = invocation.target;
  event.body = std::move(body);
  if (!reference_.empty())
    event.fields.append(kReferenceField).append(1, '\0').append(reference_).append(1, '\0');
  bool has_length = false;
  for (std::string_view rest = invocation.headers; !rest.empty();) {
    const auto name = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(std::min(rest.size(), name.size() + 1));
    const auto value = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(std::min(rest.size(), value.size() + 1));
    if (name == "prefer" || name == kReferenceField) continue;
    if (name == "idempotency-key") event.idempotency_key = value;
    has_length |= name == "content-length";
    event.fields.append(name).append(1, '\0').append(value).append(1, '\0');
  }
  if (!has_length && !event.body.empty())  // it came in chunks
    event.fields.append("content-length")
        .append(1, '\0')
        .append(std::to_string(event.body.size()))
        .append(1, '\0');
  if (event.idempotency_key.size() > 255)
    return refuse(Error{IntakeErrc::bad_request, "the Idempotency-Key is longer than 255 bytes", {}});
  std::vector<events::NewEvent> events;
  events.push_back(std::move(event));
  engine_.accept(
      "function:" + function_, std::move(events),
      here<std::vector<events::Accepted>>([this](auto accepted) { on_accepted(std::move(accepted)); }));
}

void AsyncRequest::on_accepted(Result<std::vector<events::Accepted>> accepted) {
  if (!accepted) return refuse(std::move(accepted.error()));
  const auto& event = *accepted->front().event;
  const auto id = events::to_text({event.stream, event.position, 0, event.check});
  name(id);
  const auto path = std::string(kInvocationsPath) + id;
  std::string headers;
  headers.append("location").append(1, '\0').append(path).append(1, '\0');
  headers.append("preference-applied").append(1, '\0').append("respond-async").append(1, '\0');
  const nlohmann::json body{{"invocation", id}, {"function", function_}, {"status", "queued"}, {"url", path}};
  answer_json(202, body.dump(), std::move(headers));
}

}  // namespace mayfly::intake
