// What has become of an event in all the queues of its stream.
#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>

#include "events/engine.h"

namespace mayfly::events {
namespace {

struct Asked {
  EventDeliveries answer;
  DeliveryId id;
  std::size_t open = 0;
  std::optional<Error> failure;
  Then<EventDeliveries> then;

  void end() {
    if (failure) return then(std::unexpected(std::move(*failure)));
    if (!answer.event && answer.deliveries.empty())
      return then(
          fail(EventsErrc::unknown_delivery, "there is no event '" + to_text(id) + "', or not any more"));
    std::ranges::sort(answer.deliveries, {}, [](const auto& one) { return one.id.queue; });
    then(std::move(answer));
  }
};

/// As it stands in its queue; nothing if the queue has passed it, because its filter does not let it through.
void add(Asked& asked, const Queue& queue, DeliveryRecord record) {
  const auto position = record.id.position;
  const auto live = queue.peek(position);
  const bool has_row = record.since != WallTime{};
  if (!has_row && !live) return;
  record.id = queue.id_of(position, record.id.check);
  if (!is_final(record.state)) record.state = live.value_or(record.state);
  asked.answer.deliveries.push_back(std::move(record));
}

}  // namespace

State EventDeliveries::state() const {
  constexpr std::array kWorst{State::running, State::failed,    State::queued,
                              State::dead,    State::cancelled, State::succeeded};
  for (const auto state : kWorst)
    if (std::ranges::find(deliveries, state, &DeliveryRecord::state) != deliveries.end()) return state;
  return State::succeeded;
}

void Engine::deliveries(DeliveryId id, Then<EventDeliveries> then) {
  boost::asio::post(io_, [this, id, then = std::move(then)]() mutable {
    auto asked = std::make_shared<Asked>();
    asked->id = id;
    asked->then = std::move(then);
    const auto stream = streams_.find(id.stream);
    if (stream && stream->name.starts_with("topic:")) asked->answer.topic = stream->name.substr(6);
    const auto queues = by_stream_[id.stream];
    asked->open = queues.size() + 1;
    store_.fetch(id.stream, {id.position}, here<std::vector<EventPtr>>([asked](auto events) {
                   if (!events) asked->failure = events.error();
                   if (events && !events->empty() && events->front()->check == asked->id.check)
                     asked->answer.event = events->front();
                   if (--asked->open == 0) asked->end();
                 }));
    for (const auto& queue : queues) {
      auto one = id;
      one.queue = queue->info().id;
      store_.find(one, here<DeliveryRecord>([asked, queue](auto record) {
                    if (record) add(*asked, *queue, std::move(*record));
                    if (!record && record.error().code != EventsErrc::unknown_delivery)
                      asked->failure = record.error();
                    if (--asked->open == 0) asked->end();
                  }));
    }
  });
}

}  // namespace mayfly::events
