// What was accepted to be delivered later: looking at it, its answer, cancelling it, attempting it again.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "admin/await_then.h"
#include "admin/endpoint.h"
#include "admin/errors.h"
#include "admin/event_queues.h"
#include "base/ascii.h"
#include "base/fields.h"
#include "base/text.h"
#include "intake/delivery_view.h"

namespace mayfly::admin {

using boost::asio::awaitable;
using events::DeliveryRecord;
using events::QueueView;
using nlohmann::json;

namespace {

/// Of an answer that is looked at later: they were about its connection, or are not for the admin plane's
/// reader.
bool is_dropped(std::string_view name) {
  constexpr std::array<std::string_view, 8> kDropped{"content-length", "content-type", "transfer-encoding",
                                                     "connection",     "keep-alive",   "date",
                                                     "set-cookie",     "server-timing"};
  return std::ranges::find(kDropped, name) != kDropped.end() || name.starts_with("access-control-");
}

Result<events::DeliveryId> id_of(const Request& request) {
  const auto& text = request.param("invocation");
  const auto id = events::parse_delivery_id(text);
  if (!id)
    return fail(events::EventsErrc::unknown_delivery,
                "no invocation '" + text + "': an id has 32 hexadecimal digits");
  return *id;
}

awaitable<Result<DeliveryRecord>> find(const Services& services, const Request& request) {
  const auto id = id_of(request);
  if (!id) co_return std::unexpected(id.error());
  auto asking =
      await_then<DeliveryRecord>(services.control, [&services, id = *id](events::Then<DeliveryRecord> then) {
        services.events.find(id, std::move(then));
      });
  co_return co_await std::move(asking);
}

/// The queue that a delivery is of; an empty one if its function has gone with it.
QueueView queue_of(const std::vector<QueueView>& queues, const events::DeliveryId& id) {
  const auto found = std::ranges::find_if(queues, [&](const QueueView& queue) {
    return queue.info.id == id.queue || (id.queue == 0 && queue.info.stream == id.stream);
  });
  return found == queues.end() ? QueueView{} : *found;
}

/// How the callback of a delivery stands: {"url", "invocation"?, "status"?, "attempts"?, "history"?, …}.
/// Without an id there is none yet.
awaitable<Result<json>> callback_of(const Services& services, const DeliveryRecord& record) {
  using Documents = std::vector<events::Document>;
  json callback{{"url", record.event ? record.event->callback : ""}};
  auto asking =
      await_then<Documents>(services.control, [&services, id = record.id](events::Then<Documents> then) {
        services.events.documents({.prefix = events::callback_key(id)}, std::move(then));
      });
  const auto documents = co_await std::move(asking);
  if (!documents) co_return std::unexpected(documents.error());
  const auto id = documents->empty() ? std::nullopt : events::parse_delivery_id(documents->front().value);
  if (!id) co_return callback;
  auto finding =
      await_then<DeliveryRecord>(services.control, [&services, id = *id](events::Then<DeliveryRecord> then) {
        services.events.find(id, std::move(then));
      });
  const auto its = co_await std::move(finding);
  if (its) callback.update(intake::delivery_json(*its, intake::Audience::developer));
  co_return callback;
}

/// An event of a topic, with what became of it in each of its subscriptions.
json event_of_topic(const Request& request, const events::EventDeliveries& event,
                    const std::vector<QueueView>& queues) {
  json deliveries = json::array();
  for (const auto& one : event.deliveries)
    deliveries.push_back(invocation_json(one, queue_of(queues, one.id), true));
  json body = deliveries.size() == 1 ? deliveries.front() : json::object();
  if (deliveries.size() != 1) {
    body["invocation"] = request.param("invocation");
    if (!deliveries.empty()) body["status"] = events::name_of(event.state());
    if (event.event) body["accepted"] = timestamp(event.event->accepted);
  }
  body["topic"] = event.topic;
  body["deliveries"] = std::move(deliveries);
  return body;
}

awaitable<Result<events::EventDeliveries>> deliveries_of(const Services& services, events::DeliveryId id) {
  using events::EventDeliveries;
  auto asking =
      await_then<EventDeliveries>(services.control, [&services, id](events::Then<EventDeliveries> then) {
        services.events.deliveries(id, std::move(then));
      });
  co_return co_await std::move(asking);
}

awaitable<Result<Response>> describe(const Services& services, Request& request) {
  if (const auto id = id_of(request); id && id->queue == 0) {
    auto asking = deliveries_of(services, *id);
    auto event = co_await std::move(asking);
    if (!event) co_return propagate(event);
    if (!event->topic.empty()) {
      auto reading = event_queues(services);
      auto queues = co_await std::move(reading);
      if (!queues) co_return propagate(queues);
      const json body = event_of_topic(request, *event, *queues);
      co_return json_response(body);
    }
  }
  auto finding = find(services, request);
  auto record = co_await std::move(finding);
  if (!record) co_return propagate(record);
  auto asking = event_queues(services);
  auto queues = co_await std::move(asking);
  if (!queues) co_return propagate(queues);
  const auto queue = queue_of(*queues, record->id);
  json body = invocation_json(*record, queue, true);
  if (record->event && !record->event->callback.empty()) {
    auto looking = callback_of(services, *record);
    auto callback = co_await std::move(looking);
    if (!callback) co_return propagate(callback);
    body["callback"] = std::move(*callback);
  }
  co_return json_response(body);
}

struct Listed {
  DeliveryRecord record;
  const QueueView* queue;
  [[nodiscard]] WallTime when() const {
    return record.event ? record.event->accepted : record.finished.value_or(WallTime{});
  }
};

awaitable<Result<Response>> list(const Services& services, Request& request) {
  auto query = delivery_query(request);
  if (!query) co_return propagate(query);
  const auto function = request.query_value("function").value_or("");
  auto asking = event_queues(services, function);
  auto queues = co_await std::move(asking);
  if (!queues) co_return propagate(queues);
  if (!function.empty() && queues->empty()) {
    auto known = services.registry.get(function);
    if (!known) co_return propagate(known);
  }
  if (request.query_value("before") && queues->size() != 1)
    co_return fail(AdminErrc::invalid_parameter, "before is for one queue, and this is about " +
                                                     std::to_string(queues->size()) +
                                                     ": GET /v1/queues/{queue}/deliveries takes it");
  const auto limit = query->limit++;  // one more says whether there are more
  std::vector<Listed> all;
  for (const auto& queue : *queues) {
    auto reading = await_then<std::vector<DeliveryRecord>>(
        services.control,
        [&services, name = queue.info.name, query = *query](events::Then<std::vector<DeliveryRecord>> then) {
          services.events.list(name, query, std::move(then));
        });
    auto records = co_await std::move(reading);
    if (!records) co_return propagate(records);
    for (auto& record : *records) all.push_back({std::move(record), &queue});
  }
  std::ranges::stable_sort(all, std::greater(), &Listed::when);
  const bool more = all.size() > limit || all.size() >= kMaxList;
  if (all.size() > limit) all.erase(all.begin() + static_cast<std::ptrdiff_t>(limit), all.end());
  json items = json::array();
  for (const auto& one : all) items.push_back(invocation_json(one.record, *one.queue, false));
  json body{{"invocations", std::move(items)}, {"more", more}};
  if (more && queues->size() == 1) body["before"] = events::to_text(all.back().record.id);
  co_return json_response(body);
}

/// The function's answer as it was, with its status in Mayfly-Status; while there is none, where it stands.
awaitable<Result<Response>> result(const Services& services, Request& request) {
  auto finding = find(services, request);
  auto record = co_await std::move(finding);
  if (!record) co_return propagate(record);
  if (!events::is_final(record->state)) {
    const json body{{"invocation", request.param("invocation")}, {"status", events::name_of(record->state)}};
    Response waiting = json_response(body, 202);
    waiting.headers.emplace_back("Retry-After", "1");
    co_return waiting;
  }
  if (!record->answer) {
    Error error{events::EventsErrc::no_result, "it has ended without an answer", {}};
    co_return std::unexpected(std::move(error).with("state", std::string(events::name_of(record->state))));
  }
  Response response{.status = 200, .content_type = "", .body = std::move(record->answer->body)};
  response.headers.emplace_back("Mayfly-Status", std::to_string(record->answer->status));
  response.headers.emplace_back("Mayfly-State", events::name_of(record->state));
  for_each_field(record->answer->headers, [&](std::string_view name, std::string_view value) {
    const auto folded = lower(name);
    if (folded == "content-type") response.content_type = value;
    if (!is_dropped(folded)) response.headers.emplace_back(name, value);
  });
  co_return response;
}

std::string type_of(const events::Event& event) {
  for (std::string_view rest = event.fields; !rest.empty();) {
    const auto name = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(std::min(rest.size(), name.size() + 1));
    const auto value = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(std::min(rest.size(), value.size() + 1));
    if (name == "content-type" || name == "datacontenttype") return std::string(value);
  }
  return "application/octet-stream";
}

/// The body that was accepted, as it came.
awaitable<Result<Response>> event(const Services& services, Request& request) {
  const auto id = id_of(request);
  if (!id) co_return std::unexpected(id.error());
  events::EventPtr event;
  if (id->queue == 0) {
    auto asking = deliveries_of(services, *id);
    auto all = co_await std::move(asking);
    if (!all) co_return propagate(all);
    event = all->event;
  } else {
    auto finding = find(services, request);
    auto record = co_await std::move(finding);
    if (!record) co_return propagate(record);
    event = record->event;
  }
  if (!event) co_return fail(events::EventsErrc::unknown_delivery, "what was accepted is not kept any more");
  co_return Response{.status = 200, .content_type = type_of(*event), .body = event->body};
}

using Change = void (events::Engine::*)(events::DeliveryId, events::Then<events::State>);

awaitable<Result<Response>> change(const Services& services, Request& request, Change what) {
  const auto id = id_of(request);
  if (!id) co_return std::unexpected(id.error());
  auto asking = await_then<events::State>(services.control,
                                          [&services, id = *id, what](events::Then<events::State> then) {
                                            (services.events.*what)(id, std::move(then));
                                          });
  auto state = co_await std::move(asking);
  if (!state) co_return propagate(state);
  const json body{{"invocation", request.param("invocation")}, {"status", events::name_of(*state)}};
  co_return json_response(body);
}

awaitable<Result<Response>> cancel(const Services& services, Request& request) {
  return change(services, request, &events::Engine::cancel);
}

awaitable<Result<Response>> retry(const Services& services, Request& request) {
  return change(services, request, &events::Engine::retry);
}

const std::vector<Parameter> kListQuery = {
    {"function", "string", "Only of this function"},
    {"state", "string", "Only in this state"},
    {"limit", "integer", "How many, 1 to 1000; 100 if absent"},
    {"before", "string", "Only older ones than this invocation; for one queue alone"},
};

constexpr Answer kUnknown{404, "There is none with this id, or not any more", "Problem",
                          "application/problem+json"};

}  // namespace

std::vector<Route> invocation_routes(const Services& s) {
  return {
      {"GET",
       "/v1/invocations",
       "listInvocations",
       "What was accepted to be delivered later, newest first",
       {{200, "With their states", "Invocations"}},
       with_services(list, s),
       kListQuery},
      {"GET",
       "/v1/invocations/{invocation}",
       "describeInvocation",
       "State and attempts of one, with their reasons",
       {{200, "All that is known of it; of a topic's event, of all its deliveries", "InvocationOrEvent"},
        kUnknown},
       with_services(describe, s)},
      {"GET",
       "/v1/invocations/{invocation}/result",
       "invocationResult",
       "The function's answer as it was; its status is in Mayfly-Status",
       {{200, "The answer's body and fields", "", "*/*"},
        {202, "There is none yet", "InvocationState"},
        {404, "It has ended without an answer, or is not known", "Problem", "application/problem+json"}},
       with_services(result, s)},
      {"GET",
       "/v1/invocations/{invocation}/event",
       "invocationEvent",
       "The body that was accepted, as it came",
       {{200, "The body", "", "*/*"}, kUnknown},
       with_services(event, s)},
      {"DELETE",
       "/v1/invocations/{invocation}",
       "cancelInvocation",
       "End it: an attempt under way is told, and no other follows",
       {{200, "What it came to", "InvocationState"},
        {409, "It has ended already", "Problem", "application/problem+json"}},
       with_services(cancel, s)},
      {"POST",
       "/v1/invocations/{invocation}/retry",
       "retryInvocation",
       "Attempt it again from the beginning, whatever has become of it",
       {{200, "It waits", "InvocationState"},
        {409, "It is being attempted, or its function is not deployed", "Problem",
         "application/problem+json"}},
       with_services(retry, s)},
  };
}

}  // namespace mayfly::admin
