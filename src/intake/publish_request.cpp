#include "intake/publish_request.h"

#include <sodium.h>

#include <nlohmann/json.hpp>

#include "base/fields.h"
#include "base/hex.h"
#include "base/text.h"
#include "cloudevents/http_binding.h"
#include "cloudevents/webhook.h"
#include "intake/async_request.h"
#include "intake/checks.h"

namespace mayfly::intake {
namespace {

constexpr std::size_t kMaxPartition = 255;

/// For an event that has none itself.
std::string random_id() {
  std::array<char, 32> digits{};
  std::array<std::uint64_t, 2> bits{};
  ::randombytes_buf(bits.data(), sizeof bits);
  put_hex(std::span(digits).first<16>(), bits[0]);
  put_hex(std::span(digits).last<16>(), bits[1]);
  return {digits.data(), digits.size()};
}

}  // namespace

std::optional<std::string> topic_of(std::string_view target) {
  if (!target.starts_with(kTopicsPath)) return std::nullopt;
  auto name = target.substr(kTopicsPath.size());
  name = name.substr(0, name.find('?'));
  if (name.empty() || name.find('/') != name.npos) return std::nullopt;
  return std::string(name);
}

Result<std::vector<events::NewEvent>> events_of_message(std::string_view topic, std::string_view fields,
                                                        std::string body) {
  cloudevents::Defaults defaults;
  defaults.id = random_id();
  defaults.source = "/topics/" + std::string(topic);
  defaults.time = timestamp(std::chrono::system_clock::now());
  auto parsed = cloudevents::parse_message(fields, std::move(body), defaults);
  if (!parsed) return propagate(parsed);
  const auto partition = field_value(fields, kPartitionField);
  const auto given_key = field_value(fields, "idempotency-key");
  if (auto checked = check_idempotency_key(given_key); !checked) return propagate(checked);
  const auto key = key_of_caller(given_key, fields);
  if (partition.size() > kMaxPartition)
    return fail(IntakeErrc::bad_request, "the partition is longer than 255 bytes");
  std::vector<events::NewEvent> result;
  result.reserve(parsed->size());
  for (std::size_t i = 0; i < parsed->size(); ++i) {
    auto& one = (*parsed)[i];
    events::NewEvent event;
    event.form = events::Form::event;
    event.partition = partition.empty() ? one.get("partitionkey") : partition;
    // No field has a line's end in it: nobody's own key is one of these.
    if (!key.empty()) event.idempotency_key = i == 0 ? key : key + "\n" + std::to_string(i);
    event.fields = cloudevents::to_fields(one);
    event.body = std::move(one.data);
    result.push_back(std::move(event));
  }
  return result;
}

std::string accepted_json(const std::vector<events::Accepted>& accepted) {
  nlohmann::json ids = nlohmann::json::array();
  for (const auto& one : accepted)
    if (one.event)
      ids.push_back(events::to_text({one.event->stream, one.event->position, 0, one.event->check}));
  return nlohmann::json{{"events", std::move(ids)}}.dump();
}

void PublishRequest::on_request(const pool::Invocation& invocation, std::string body) {
  if (invocation.method == "OPTIONS") {
    auto fields = cloudevents::allow_webhook(invocation.headers);
    if (!fields) return refuse(std::move(fields.error()));
    return answer(200, *fields, {});
  }
  if (invocation.method != "POST") {
    Error error{IntakeErrc::not_allowed, "events are published with POST", {}};
    return refuse(error.with("allow", "POST, OPTIONS"));
  }
  auto events = events_of_message(topic_, invocation.headers, std::move(body));
  if (!events) return refuse(std::move(events.error()));
  if (events->empty()) return answer_json(202, accepted_json({}));  // a batch of none
  engine_.accept("topic:" + topic_, std::move(*events),
                 here<std::vector<events::Accepted>>([this](auto accepted) {
                   if (!accepted) return refuse(std::move(accepted.error()));
                   answer_json(202, accepted_json(*accepted));
                 }));
}

}  // namespace mayfly::intake
