#include "intake/async_request.h"

#include <sodium.h>

#include <nlohmann/json.hpp>

#include "base/fields.h"
#include "base/hex.h"
#include "cloudevents/cloud_event.h"
#include "intake/checks.h"
#include "intake/delivery_view.h"

namespace mayfly::intake {
namespace {

/// Of a token's claims (base64url of JSON) those that say whose it is: others change with each token.
std::string subject_of(std::string_view claims) {
  std::string text(claims.size(), '\0');
  std::size_t size = 0;
  const int failed =
      ::sodium_base642bin(reinterpret_cast<unsigned char*>(text.data()), text.size(), claims.data(),
                          claims.size(), nullptr, &size, nullptr, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  text.resize(failed != 0 ? 0 : size);
  const auto object = nlohmann::json::parse(text, nullptr, false);
  if (!object.is_object() || !object.contains("sub")) return std::string(claims);
  constexpr auto kReplace = nlohmann::json::error_handler_t::replace;
  return object.value("iss", nlohmann::json()).dump(-1, ' ', false, kReplace) +
         object["sub"].dump(-1, ' ', false, kReplace);
}

/// Who calls, as far as is known. What they say themselves counts where nobody has checked who they are.
std::string caller_of(std::string_view fields) {
  std::string checked;
  std::string said;
  for_each_field(fields, [&](std::string_view name, std::string_view value) {
    if (name == "mayfly-key") checked.append("key ").append(value);
    if (name == "mayfly-jwt-claims") checked.append("subject ").append(subject_of(value));
    if (name == "authorization") said.append("said ").append(value);
  });
  return checked.empty() ? said : checked;
}

}  // namespace

std::string key_of_caller(std::string_view key, std::string_view fields) {
  const auto caller = caller_of(fields);
  if (key.empty() || caller.empty()) return std::string(key);
  std::array<std::uint64_t, 2> hash{};
  ::crypto_generichash(reinterpret_cast<unsigned char*>(hash.data()), sizeof hash,
                       reinterpret_cast<const unsigned char*>(caller.data()), caller.size(), nullptr, 0);
  std::array<char, 32> digits{};
  put_hex(std::span(digits).first<16>(), hash[0]);
  put_hex(std::span(digits).last<16>(), hash[1]);
  return std::string(key).append(" ").append(digits.data(), digits.size());
}

void AsyncRequest::on_request(const pool::Invocation& invocation, std::string body) {
  events::NewEvent event;
  event.form = events::Form::request;
  event.method = invocation.method;
  event.target = invocation.target;
  event.body = std::move(body);
  if (!reference_.empty()) append_field(event.fields, kReferenceField, reference_);
  bool has_length = false;
  std::size_t callbacks = 0;
  for_each_field(invocation.headers, [&](std::string_view name, std::string_view value) {
    if (name == "prefer" || name == kReferenceField) return;
    if (name == kCallbackField) {
      ++callbacks;
      event.callback = value;
      return;
    }
    if (name == "idempotency-key") event.idempotency_key = value;
    has_length |= name == "content-length";
    append_field(event.fields, name, value);
  });
  if (!has_length && !event.body.empty())  // it came in chunks
    append_field(event.fields, "content-length", std::to_string(event.body.size()));
  if (callbacks > 1) return refuse(Error{IntakeErrc::bad_request, "there can be one Mayfly-Callback", {}});
  if (callbacks > 0)
    if (auto checked = engine_.check_callback(event.callback); !checked)
      return refuse(std::move(checked.error()));
  if (auto checked = check_idempotency_key(event.idempotency_key); !checked)
    return refuse(std::move(checked.error()));
  event.idempotency_key = key_of_caller(event.idempotency_key, invocation.headers);
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
  append_field(headers, "location", path);
  append_field(headers, "preference-applied", "respond-async");
  const nlohmann::json body{{"invocation", id}, {"function", function_}, {"status", "queued"}, {"url", path}};
  answer_json(202, body.dump(), std::move(headers));
}

}  // namespace mayfly::intake
