#include "callbacks/callback_rules.h"

#include "base/fields.h"
#include "callbacks/message.h"
#include "events/transaction.h"
#include "outbound/url.h"

namespace mayfly::callbacks {
namespace {

/// Under way to one server at once.
constexpr int kMostOfServer = 32;

/// What cannot be read is no server's; it fails when it is sent.
std::string server_of(const std::string& text) {
  const auto url = outbound::parse_url(text);
  return url ? url->scheme + "://" + url->authority : std::string();
}

}  // namespace

events::Policy callback_policy() {
  events::Policy policy;
  policy.attempts = 14;
  policy.backoff = std::chrono::seconds(10);
  policy.backoff_max = std::chrono::hours(6);
  policy.max_age = std::chrono::hours(24);
  policy.concurrency = 128;
  policy.most_of_partition = kMostOfServer;
  return policy;
}

Result<void> CallbackRules::check(const std::string& url) const {
  const auto parsed = outbound::parse_url(url);
  if (!parsed) return std::unexpected(parsed.error());
  return outbound::check_host(*parsed, addresses_);
}

events::Decision CallbackRules::decision(const std::string& function, const events::EventPtr& event,
                                         const events::DeliveryId& id, const events::Outcome& end) const {
  events::NewEvent callback;
  callback.form = events::Form::callback;
  callback.method = "POST";
  callback.target = event->callback;
  callback.partition = server_of(event->callback);
  append_field(callback.fields, "content-type", "application/json");
  append_field(callback.fields, "invocation", events::to_text(id));
  callback.body = message_of(function, *event, id, end);
  return [callback = std::move(callback), key = events::callback_key(id),
          expires = end.expires](events::Transaction& transaction) -> Result<void> {
    auto stream = transaction.stream(events::kCallbackQueue);
    if (!stream) return propagate(stream);
    auto copy = callback;
    copy.stream = *stream;
    auto accepted = transaction.append(std::move(copy));
    if (!accepted) return propagate(accepted);
    const auto& its = *accepted->event;
    const auto text = events::to_text({its.stream, its.position, 0, its.check});
    if (auto put = transaction.put(key, text); !put) return put;
    return transaction.expire(key, expires);
  };
}

}  // namespace mayfly::callbacks
