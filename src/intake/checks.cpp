#include "intake/checks.h"

#include "cloudevents/cloud_event.h"
#include "cloudevents/raw_json.h"
#include "intake/local_request.h"

namespace mayfly::intake {

Result<void> check_idempotency_key(std::string_view key) {
  if (key.size() <= kMaxIdempotencyKey) return {};
  return fail(IntakeErrc::bad_request, "the Idempotency-Key is longer than 255 bytes");
}

Result<void> check_json_body(std::string_view content_type, std::string_view body) {
  if (body.empty() || cloudevents::is_json(body)) return {};
  cloudevents::CloudEvent typed;
  typed.set("datacontenttype", std::string(content_type));
  if (!cloudevents::has_json_type(typed)) return {};
  return fail(IntakeErrc::bad_request, "the body is not JSON, as its Content-Type says it is");
}

}  // namespace mayfly::intake
