#include "admin/event_queues.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "admin/await_then.h"
#include "admin/errors.h"
#include "base/fields.h"
#include "base/text.h"
#include "intake/async_request.h"
#include "intake/delivery_view.h"

namespace mayfly::admin {

using boost::asio::awaitable;
using events::QueueView;
using nlohmann::json;

namespace {

std::string_view form_name(events::Form form) {
  switch (form) {
    case events::Form::request:
      return "request";
    case events::Form::payload:
      return "payload";
    case events::Form::event:
      return "event";
    case events::Form::schedule:
      return "schedule";
    case events::Form::callback:
      return "callback";
    case events::Form::step:
      return "step";
  }
  return "unknown";
}

bool is_secret(std::string_view field) {
  constexpr std::array<std::string_view, 4> kSecret{"authorization", "cookie", "proxy-authorization",
                                                    "x-api-key"};
  return std::ranges::find(kSecret, field) != kSecret.end();
}

json event_json(const events::Event& event, bool whole) {
  json item{{"form", form_name(event.form)}};
  if (!event.method.empty()) item["method"] = event.method;
  if (!event.target.empty()) item["target"] = event.target;
  if (!event.callback.empty()) item["callback"] = event.callback;
  if (!event.partition.empty()) item["partition"] = event.partition;
  if (!event.idempotency_key.empty()) item["idempotency_key"] = event.idempotency_key;
  json fields = json::array();
  for_each_field(event.fields, [&](std::string_view name, std::string_view value) {
    if (name == intake::kReferenceField)
      item["reference"] = value;
    else
      fields.push_back({name, is_secret(name) ? "(not shown)" : value});
  });
  if (whole) {
    item["fields"] = std::move(fields);
    item["bytes"] = event.body.size();
  }
  return item;
}

json policy_json(const events::Policy& policy) {
  return {{"attempts", policy.attempts},
          {"backoff", format_duration(policy.backoff)},
          {"backoff_max", format_duration(policy.backoff_max)},
          {"max_age", format_duration(policy.max_age)},
          {"concurrency", policy.concurrency},
          {"batch", policy.batch},
          {"batch_wait", format_duration(policy.batch_wait)},
          {"ordered", policy.ordered},
          {"keep_result", format_duration(policy.keep_result)}};
}

}  // namespace

awaitable<Result<std::vector<QueueView>>> event_queues(const Services& services, std::string function) {
  auto asking = await_then<std::vector<QueueView>>(
      services.control,
      [&services](events::Then<std::vector<QueueView>> then) { services.events.queues(std::move(then)); });
  auto queues = co_await std::move(asking);
  if (queues && !function.empty())
    std::erase_if(*queues, [&](const QueueView& queue) { return queue.function != function; });
  co_return queues;
}

std::string queue_name(std::string_view given) {
  if (given.contains('>') || given.contains(':') || given == events::kCallbackQueue)
    return std::string(given);
  std::string name(given);
  const auto slash = name.find('/');
  if (slash == std::string::npos) return "function:" + name;
  name[slash] = '>';
  return name;
}

json queue_json(const QueueView& queue) {
  const auto& figures = queue.figures;
  const auto dead = queue.kept.find(events::State::dead);
  json item{{"queue", queue.info.name},
            {"function", queue.function},
            {"paused", queue.paused},
            {"attached", queue.attached},
            {"backlog", figures.backlog},
            {"waiting", figures.waiting},
            {"running", figures.running},
            {"dead_letters", dead == queue.kept.end() ? 0 : dead->second},
            {"since_start",
             {{"succeeded", figures.succeeded},
              {"failed", figures.failed},
              {"dead", figures.dead},
              {"cancelled", figures.cancelled}}},
            {"policy", policy_json(queue.policy)}};
  if (const auto end = queue.info.name.rfind('>'); end != std::string::npos)
    item["topic"] = queue.info.name.substr(0, end);
  return item;
}

json invocation_json(const events::DeliveryRecord& record, const QueueView& queue, bool whole) {
  json item = intake::delivery_json(record, intake::Audience::developer);
  item["queue"] = queue.info.name;
  item["function"] = queue.function;
  if (record.event) item["event"] = event_json(*record.event, whole);
  if (!whole && item.contains("result")) item["result"] = {{"status", item["result"]["status"]}};
  return item;
}

Result<events::DeliveryQuery> delivery_query(const Request& request) {
  events::DeliveryQuery query;
  auto limit = request.query_number("limit", 100, kMaxList);
  if (!limit) return propagate(limit);
  query.limit = std::max<std::size_t>(1, *limit);
  if (const auto state = request.query_value("state")) {
    query.state = events::state_of(*state);
    if (!query.state) {
      constexpr std::array<std::string_view, 6> kStates{"queued",    "running", "failed",
                                                        "succeeded", "dead",    "cancelled"};
      return fail(AdminErrc::invalid_parameter,
                  "state must be queued, running, failed, succeeded, dead or cancelled, not '" + *state +
                      "'" + did_you_mean(*state, kStates));
    }
  }
  if (const auto before = request.query_value("before")) {
    const auto id = events::parse_delivery_id(*before);
    if (!id) return fail(AdminErrc::invalid_parameter, "before must be an invocation's id");
    query.before = id->position;
  }
  return query;
}

}  // namespace mayfly::admin
