#include "cloudevents/webhook.h"

#include <algorithm>

#include "base/fields.h"
#include "base/text.h"
#include "cloudevents/cloud_event.h"

namespace mayfly::cloudevents {
namespace {

/// A DNS name, with what is seen in its place: a port, a wildcard.
bool is_origin(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-._:*").contains(c);
  };
  return !text.empty() && text.size() <= 255 && std::ranges::all_of(text, allowed);
}

}  // namespace

Result<std::string> allow_webhook(std::string_view fields, std::optional<std::uint32_t> rate) {
  std::optional<std::string_view> origin;
  std::optional<std::string_view> wanted;
  for_each_field(fields, [&](std::string_view name, std::string_view value) {
    if (name == "webhook-request-origin") origin = value;
    if (name == "webhook-request-rate") wanted = value;
  });
  std::string answer;
  append_field(answer, "allow", "OPTIONS, POST");
  if (!origin) return answer;
  if (!is_origin(*origin))
    return fail(CloudEventsErrc::bad_webhook,
                "WebHook-Request-Origin is a DNS name, like eventemitter.example.com");
  const auto wanted_rate = wanted ? parse_integer(*wanted) : std::optional<std::int64_t>(1);
  if (!wanted_rate || *wanted_rate < 1)
    return fail(CloudEventsErrc::bad_webhook,
                "WebHook-Request-Rate is a whole number of requests a minute, from 1 on");
  append_field(answer, "webhook-allowed-origin", *origin);
  append_field(answer, "webhook-allowed-rate",
               rate ? std::to_string(std::max<std::uint32_t>(1, *rate)) : "*");
  return answer;
}

}  // namespace mayfly::cloudevents
