// Queues: how full they are, stopping them, and their dead letters.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "admin/await_then.h"
#include "admin/endpoint.h"
#include "admin/errors.h"
#include "admin/event_queues.h"

namespace mayfly::admin {

using boost::asio::awaitable;
using events::DeliveryRecord;
using events::QueueView;
using nlohmann::json;

namespace {

/// For what goes through a whole queue.
constexpr std::chrono::milliseconds kLongPatience{600'000};
constexpr std::size_t kMaxRedrive = 1'000'000;

awaitable<Result<Response>> list(const Services& services, Request& request) {
  auto asking = event_queues(services, request.query_value("function").value_or(""));
  auto queues = co_await std::move(asking);
  if (!queues) co_return propagate(queues);
  json items = json::array();
  for (const auto& queue : *queues) items.push_back(queue_json(queue));
  const json body{{"queues", std::move(items)}};
  co_return json_response(body);
}

awaitable<Result<Response>> pause(const Services& services, const std::string& name, bool paused) {
  auto asking = await_then<void>(services.control, [&services, name, paused](events::Then<void> then) {
    services.events.pause(name, paused, std::move(then));
  });
  auto done = co_await std::move(asking);
  if (!done) co_return propagate(done);
  const json body{{"queue", name}, {"paused", paused}};
  co_return json_response(body);
}

awaitable<Result<Response>> pause_queue(const Services& services, Request& request) {
  const auto name = queue_name(request.param("queue"));
  co_return co_await pause(services, name, true);
}

awaitable<Result<Response>> resume_queue(const Services& services, Request& request) {
  const auto name = queue_name(request.param("queue"));
  co_return co_await pause(services, name, false);
}

awaitable<Result<Response>> deliveries(const Services& services, Request& request) {
  auto query = delivery_query(request);
  if (!query) co_return propagate(query);
  const auto name = queue_name(request.param("queue"));
  const auto limit = query->limit++;  // one more says whether there are more
  auto reading = await_then<std::vector<DeliveryRecord>>(
      services.control, [&services, name, query = *query](events::Then<std::vector<DeliveryRecord>> then) {
        services.events.list(name, query, std::move(then));
      });
  auto records = co_await std::move(reading);
  if (!records) co_return propagate(records);
  auto asking = event_queues(services);
  auto queues = co_await std::move(asking);
  if (!queues) co_return propagate(queues);
  const auto found = std::ranges::find(*queues, name, [](const auto& one) { return one.info.name; });
  const QueueView queue = found == queues->end() ? QueueView{} : *found;
  const bool more = records->size() > limit || records->size() >= kMaxList;
  records->resize(std::min(records->size(), limit));
  json items = json::array();
  for (const auto& record : *records) items.push_back(invocation_json(record, queue, false));
  const json body{{"queue", name}, {"deliveries", std::move(items)}, {"more", more}};
  co_return json_response(body);
}

/// As many as are dead now, unless told otherwise: one that dies again at once is not taken a second time.
awaitable<Result<Response>> redrive(const Services& services, Request& request) {
  const auto name = queue_name(request.param("queue"));
  auto asking = event_queues(services);
  auto queues = co_await std::move(asking);
  if (!queues) co_return propagate(queues);
  const auto found = std::ranges::find(*queues, name, [](const auto& one) { return one.info.name; });
  const auto dead = found == queues->end() ? std::size_t{1} : found->kept[events::State::dead];
  auto limit = request.query_number("limit", dead, kMaxRedrive);
  if (!limit) co_return propagate(limit);
  auto driving = await_then<std::size_t>(
      services.control,
      [&services, name, most = *limit](events::Then<std::size_t> then) {
        services.events.redrive(name, most, std::move(then));
      },
      kLongPatience);
  auto done = co_await std::move(driving);
  if (!done) co_return propagate(done);
  const json body{{"queue", name}, {"redriven", *done}};
  co_return json_response(body);
}

awaitable<Result<Response>> purge(const Services& services, Request& request) {
  const auto name = queue_name(request.param("queue"));
  const auto state = events::state_of(request.query_value("state").value_or(""));
  if (!state || !events::is_final(*state))
    co_return fail(AdminErrc::invalid_parameter,
                   "state must be dead, succeeded or cancelled: only what has ended can be forgotten");
  auto purging = await_then<std::size_t>(
      services.control,
      [&services, name, state = *state](events::Then<std::size_t> then) {
        services.events.purge(name, state, std::move(then));
      },
      kLongPatience);
  auto done = co_await std::move(purging);
  if (!done) co_return propagate(done);
  const json body{{"queue", name}, {"purged", *done}};
  co_return json_response(body);
}

awaitable<Result<Response>> drop(const Services& services, Request& request) {
  const auto name = queue_name(request.param("queue"));
  auto dropping = await_then<void>(
      services.control,
      [&services, name](events::Then<void> then) { services.events.drop(name, std::move(then)); },
      kLongPatience);
  auto done = co_await std::move(dropping);
  if (!done) co_return propagate(done);
  co_return Response{.status = 204};
}

const std::vector<Parameter> kDeliveryQuery = {
    {"state", "string", "Only in this state"},
    {"limit", "integer", "How many, 1 to 1000; 100 if absent"},
    {"before", "string", "Only older ones than this invocation"},
};
const std::vector<Parameter> kRedriveQuery = {
    {"limit", "integer", "How many, the newest first; as many as there are if absent"},
};
const std::vector<Parameter> kPurgeQuery = {
    {"state", "string", "dead, succeeded or cancelled", true},
};
const std::vector<Parameter> kQueueQuery = {
    {"function", "string", "Only those of this function"},
};

}  // namespace

std::vector<Route> queue_routes(const Services& s) {
  return {
      {"GET",
       "/v1/queues",
       "listQueues",
       "The queues: of functions, of subscriptions, of schedules",
       {{200, "By name", "Queues"}},
       with_services(list, s),
       kQueueQuery},
      {"DELETE",
       "/v1/queues/{queue}",
       "deleteQueue",
       "Forget a queue whose function is gone or subscribes no longer, with all that is in it",
       {{204, "It is gone"},
        {409, "Its function is there, or an attempt is under way", "Problem", "application/problem+json"}},
       with_services(drop, s)},
      {"POST",
       "/v1/queues/{queue}/pause",
       "pauseQueue",
       "Begin no more attempts until it is resumed; events are accepted all the same",
       {{200, "It is paused, also after a restart", "QueuePaused"}},
       with_services(pause_queue, s)},
      {"POST",
       "/v1/queues/{queue}/resume",
       "resumeQueue",
       "Go on with a queue that was paused",
       {{200, "It goes on", "QueuePaused"}},
       with_services(resume_queue, s)},
      {"GET",
       "/v1/queues/{queue}/deliveries",
       "listDeliveries",
       "What lies in a queue or has gone through it, newest first",
       {{200, "With their states", "Deliveries"}},
       with_services(deliveries, s),
       kDeliveryQuery},
      {"DELETE",
       "/v1/queues/{queue}/deliveries",
       "purgeQueue",
       "Forget what has ended in one way",
       {{200, "How many are forgotten", "Purged"}},
       with_services(purge, s),
       kPurgeQuery},
      {"POST",
       "/v1/queues/{queue}/redrive",
       "redriveQueue",
       "Attempt its dead letters again, from the beginning",
       {{200, "How many are attempted again", "Redriven"}},
       with_services(redrive, s),
       kRedriveQuery},
  };
}

}  // namespace mayfly::admin
