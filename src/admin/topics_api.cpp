// Topics: which there are and who gets their events, making one.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "admin/await_then.h"
#include "admin/endpoint.h"
#include "admin/errors.h"
#include "admin/event_queues.h"
#include "admin/view.h"
#include "base/ascii.h"
#include "base/fields.h"
#include "intake/publish_request.h"
#include "registry/trigger.h"

namespace mayfly::admin {

using boost::asio::awaitable;
using nlohmann::json;

namespace {

awaitable<Result<Response>> list(const Services& services, Request&) {
  auto asking = event_queues(services);
  auto queues = co_await std::move(asking);
  if (!queues) co_return propagate(queues);
  json topics = json::array();
  for (const auto& topic : services.events.topics()) {
    json subscriptions = json::array();
    for (const auto& queue : *queues)
      if (queue.info.name == topic.name + ">" + queue.function) subscriptions.push_back(queue_json(queue));
    topics.push_back({{"topic", topic.name},
                      {"open", topic.open},
                      {"newest", topic.newest},
                      {"subscriptions", std::move(subscriptions)}});
  }
  const json body{{"topics", std::move(topics)}};
  co_return json_response(body);
}

awaitable<Result<Response>> make(const Services& services, Request& request) {
  const auto& name = request.param("topic");
  if (!registry::is_topic_name(name))
    co_return fail(AdminErrc::invalid_parameter,
                   "'" + name +
                       "' cannot be a topic's name: 1 to 128 letters, digits, '.', '_' and '-', "
                       "beginning with a letter or a digit");
  auto wanted = parse_object(request.body, {"open"});
  if (!wanted) co_return propagate(wanted);
  const auto topics = services.events.topics();
  const auto found = std::ranges::find(topics, name, &events::Engine::TopicView::name);
  const bool known = found != topics.end();
  bool open = known && found->open;
  if (const auto given = wanted->find("open"); given != wanted->end()) {
    if (!given->is_boolean()) co_return fail(AdminErrc::invalid_body, "open must be true or false");
    open = given->get<bool>();
  }
  auto asking = await_then<void>(services.control, [&services, name, open](events::Then<void> then) {
    services.events.make_topic(name, open, std::move(then));
  });
  auto made = co_await std::move(asking);
  if (!made) co_return propagate(made);
  const json body{{"topic", name}, {"open", open}};
  co_return json_response(body, known ? 200 : 201);
}

/// "name\0value\0…" of the request's headers, without those that are between the client and the admin plane.
std::string fields_of(const Request& request) {
  constexpr std::array<std::string_view, 6> kOwn{"authorization", "connection",        "cookie",
                                                 "host",          "transfer-encoding", "content-length"};
  std::string fields;
  for (const auto& [name, value] : request.headers) {
    const auto folded = lower(name);
    if (std::ranges::find(kOwn, folded) == kOwn.end()) append_field(fields, folded, value);
  }
  return fields;
}

awaitable<Result<Response>> publish(const Services& services, Request& request) {
  using Accepted = std::vector<events::Accepted>;
  constexpr auto kMaxBody = intake::PublishRequest::kMaxBody;
  if (request.body.size() > kMaxBody) {
    Error error{intake::IntakeErrc::body_too_large, "what is published is too large", {}};
    co_return std::unexpected(std::move(error).with("limit", std::to_string(kMaxBody)));
  }
  const auto& topic = request.param("topic");
  const auto fields = fields_of(request);
  auto parsed = intake::events_of_message(topic, fields, std::move(request.body));
  if (!parsed) co_return propagate(parsed);
  auto events = std::make_shared<std::vector<events::NewEvent>>(std::move(*parsed));
  auto publishing =
      await_then<Accepted>(services.control, [&services, topic, events](events::Then<Accepted> then) {
        if (events->empty()) return then(Accepted{});  // a batch of none
        services.events.accept("topic:" + topic, std::move(*events), std::move(then));
      });
  auto accepted = co_await std::move(publishing);
  if (!accepted) co_return propagate(accepted);
  Response response{.status = 202, .body = intake::accepted_json(*accepted) + "\n"};
  co_return response;
}

}  // namespace

std::vector<Route> topic_routes(const Services& s) {
  return {
      {"GET",
       "/v1/topics",
       "listTopics",
       "The topics, with who subscribes to them",
       {{200, "By name", "Topics"}},
       with_services(list, s)},
      {"PUT",
       "/v1/topics/{topic}",
       "makeTopic",
       "Make a topic; a function that subscribes to one makes it as well",
       {{201, "It is made", "Topic"}, {200, "It was there already", "Topic"}},
       with_services(make, s),
       {},
       BodyKind::json,
       "TopicWish"},
      {"POST",
       "/v1/topics/{topic}/events",
       "publish",
       "Publish events: a CloudEvent (binary, structured), a batch of them, or any body",
       {{202, "They are on disk", "Published"},
        {404, "There is no such topic", "Problem", "application/problem+json"}},
       with_services(publish, s),
       {},
       BodyKind::payload},
  };
}

}  // namespace mayfly::admin
