#include "admin/async_invoke.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "admin/await_then.h"
#include "base/ascii.h"
#include "base/fields.h"
#include "base/text.h"
#include "intake/async_request.h"
#include "intake/checks.h"
#include "registry/error.h"

namespace mayfly::admin {

using boost::asio::awaitable;
using nlohmann::json;

namespace {

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

/// "3" and "stable" of hello@3 and hello@stable: who names what is not there hears it at once.
Result<void> check_reference(const registry::Function& function, const std::string& reference) {
  if (reference.empty() || function.aliases.contains(reference)) return {};
  const auto number = parse_integer(reference);
  const bool known =
      number && *number > 0 && std::ranges::any_of(function.versions, [&](const auto& version) {
        return std::cmp_equal(version.first, *number);
      });
  if (known) return {};
  return fail(registry::RegistryErrc::unknown_version,
              "'" + function.name + "' has no version or alias '" + reference + "'");
}

Result<events::NewEvent> event_of(const events::Engine& engine, InvokeRequest& wanted,
                                  const std::string& reference) {
  events::NewEvent event;
  event.form = wanted.event ? events::Form::payload : events::Form::request;
  event.method = wanted.method;
  event.target = wanted.target;
  event.body = std::move(wanted.body);
  if (event.body.size() > intake::kMaxEventBody)
    return std::unexpected(
        Error{intake::IntakeErrc::body_too_large, "the payload is too large to be kept", {}}.with(
            "limit", std::to_string(intake::kMaxEventBody)));
  if (!reference.empty()) append_field(event.fields, intake::kReferenceField, reference);
  for (const auto& [name, value] : wanted.headers) {
    const auto folded = lower(name);
    if (folded == "prefer" || folded == intake::kReferenceField) continue;
    if (folded == intake::kCallbackField) {
      if (auto checked = engine.check_callback(value); !checked) return propagate(checked);
      event.callback = value;
      continue;
    }
    if (folded == "idempotency-key") event.idempotency_key = value;
    append_field(event.fields, folded, value);
  }
  if (auto checked = intake::check_idempotency_key(event.idempotency_key); !checked)
    return propagate(checked);
  return event;
}

/// What was accepted with this key before may have come far.
awaitable<Result<events::State>> state_of(const Services& services, events::DeliveryId id) {
  auto asking = await_then<events::DeliveryRecord>(
      services.control, [&services, id](events::Then<events::DeliveryRecord> then) {
        services.events.find(id, std::move(then));
      });
  auto record = co_await std::move(asking);
  if (!record) co_return propagate(record);
  co_return record->state;
}

}  // namespace

bool prefers_async(const Headers& headers) {
  for (const auto& [name, value] : headers) {
    if (lower(name) != "prefer") continue;
    for (std::string_view rest = value; !rest.empty();) {
      const auto one = rest.substr(0, rest.find(','));
      rest.remove_prefix(std::min(rest.size(), one.size() + 1));
      if (lower(trimmed(one.substr(0, one.find_first_of(";=")))) == "respond-async") return true;
    }
  }
  return false;
}

awaitable<Result<Response>> accept_invocation(const Services& services, registry::FunctionPtr function,
                                              InvokeRequest wanted) {
  const auto at = wanted.function.find('@');
  const auto reference = at == std::string::npos ? std::string() : wanted.function.substr(at + 1);
  auto checked = check_reference(*function, reference);
  if (!checked) co_return propagate(checked);
  auto event = event_of(services.events, wanted, reference);
  if (!event) co_return propagate(event);
  auto events = std::make_shared<std::vector<events::NewEvent>>();
  events->push_back(std::move(*event));
  using Accepted = std::vector<events::Accepted>;
  auto accepting = await_then<Accepted>(
      services.control, [&services, events, name = function->name](events::Then<Accepted> then) {
        services.events.accept("function:" + name, std::move(*events), std::move(then));
      });
  auto accepted = co_await std::move(accepting);
  if (!accepted) co_return propagate(accepted);
  const auto& its = *accepted->front().event;
  const events::DeliveryId id{its.stream, its.position, 0, its.check};
  auto state = events::State::queued;
  if (accepted->front().known) {
    auto asking = state_of(services, id);
    const auto now = co_await std::move(asking);
    state = now.value_or(state);
  }
  const auto text = events::to_text(id);
  const json body{{"invocation", text},
                  {"function", function->name},
                  {"status", events::name_of(state)},
                  {"url", "/v1/invocations/" + text}};
  Response response = json_response(body, 202);
  response.headers.emplace_back("Location", "/v1/invocations/" + text);
  response.headers.emplace_back("Preference-Applied", "respond-async");
  co_return response;
}

}  // namespace mayfly::admin
