// What people ask of the engine: to look at deliveries, to cancel them, to attempt them again.
#include <boost/asio/post.hpp>

#include "events/engine.h"

namespace mayfly::events {
namespace {

namespace asio = boost::asio;
constexpr std::size_t kRedriveAtOnce = 100;

}  // namespace

/// The queue of a delivery; a function's stream has just one, which need not be named.
Engine::QueuePtr Engine::queue_of(const DeliveryId& id) const {
  if (id.queue == 0) {
    const auto found = by_stream_.find(id.stream);
    return found == by_stream_.end() || found->second.size() != 1 ? nullptr : found->second.front();
  }
  const auto found = queues_.find(id.queue);
  return found == queues_.end() ? nullptr : found->second;
}

void Engine::find(DeliveryId id, Then<DeliveryRecord> then) {
  asio::post(io_, [this, id, then = std::move(then)]() mutable {
    const auto queue = queue_of(id);
    if (id.queue == 0 && queue) id.queue = queue->info().id;
    store_.find(id, here<DeliveryRecord>([queue, then = std::move(then)](auto record) {
                  if (record && queue && !is_final(record->state))
                    record->state = queue->peek(record->id.position).value_or(record->state);
                  then(std::move(record));
                }));
  });
}

/// After it has been made sure that there is such a delivery.
void Engine::with_queue(DeliveryId id, Then<State> then,
                        void (Queue::*what)(const DeliveryId&, Then<State>)) {
  find(id, [this, then = std::move(then), what](auto record) {
    if (!record) return then(propagate(record));
    const auto queue = queue_of(record->id);
    if (!queue) return then(fail(EventsErrc::no_function, "its function is not deployed"));
    ((*queue).*what)(record->id, then);
  });
}

void Engine::cancel(DeliveryId id, Then<State> then) { with_queue(id, std::move(then), &Queue::cancel); }
void Engine::retry(DeliveryId id, Then<State> then) { with_queue(id, std::move(then), &Queue::retry); }

void Engine::with_queue_named(const std::string& name, std::function<void(Result<QueuePtr>)> then) {
  asio::post(io_, [this, name, then = std::move(then)] {
    const auto found = by_name_.find(name);
    if (found == by_name_.end()) return then(fail(EventsErrc::unknown_queue, "no queue '" + name + "'"));
    then(found->second);
  });
}

void Engine::list(const std::string& queue, DeliveryQuery query, Then<std::vector<DeliveryRecord>> then) {
  with_queue_named(queue, [this, query, then = std::move(then)](Result<QueuePtr> found) mutable {
    if (!found) return then(propagate(found));
    query.queue = (*found)->info().id;
    store_.list(query, std::move(then));
  });
}

void Engine::queues(Then<std::vector<QueueView>> then) {
  asio::post(io_, [this, then = std::move(then)] {
    std::vector<QueueView> views;
    for (const auto& [name, queue] : by_name_)
      views.push_back({queue->info(), queue->function(), queue->policy(), queue->figures(), queue->attached(),
                       queue->paused()});
    then(std::move(views));
  });
}

void Engine::schedules(Then<std::vector<ScheduleView>> then) {
  asio::post(io_, [this, then = std::move(then)] { then(schedules_.list()); });
}

void Engine::run_schedule(const std::string& name, Then<std::vector<Accepted>> then) {
  asio::post(io_, [this, name, then = std::move(then)] {
    if (!schedules_.run(name, then)) then(fail(EventsErrc::unknown_queue, "no schedule '" + name + "'"));
  });
}

void Engine::pause(const std::string& queue, bool paused, Then<void> then) {
  with_queue_named(queue, [this, paused, then = std::move(then)](Result<QueuePtr> found) mutable {
    if (!found) return then(propagate(found));
    store_.pause_queue((*found)->info().id, paused,
                       here<void>([this, paused, queue = *found, then = std::move(then)](auto result) {
                         if (result) {
                           queue->pause(paused);
                           schedules_.pause(queue->info().name, paused);
                         }
                         then(std::move(result));
                       }));
  });
}

void Engine::redrive(const std::string& queue, std::size_t limit, Then<std::size_t> then) {
  with_queue_named(queue, [this, limit, then = std::move(then)](Result<QueuePtr> found) mutable {
    if (!found) return then(propagate(found));
    redrive_some(*found, limit, 0, then);
  });
}

/// A page of dead letters after another, as long as the last one was full and something came of it.
void Engine::redrive_some(const QueuePtr& queue, std::size_t left, std::size_t done,
                          const Then<std::size_t>& then) {
  if (left == 0) return then(done);
  DeliveryQuery query;
  query.queue = queue->info().id;
  query.state = State::dead;
  query.limit = std::min(left, kRedriveAtOnce);
  store_.list(query, here<std::vector<DeliveryRecord>>([this, queue, left, done, then](auto dead) {
                if (!dead) return then(propagate(dead));
                if (dead->empty()) return then(done);
                struct Page {
                  std::size_t open = 0;
                  std::size_t again = 0;
                };
                auto page = std::make_shared<Page>(Page{dead->size(), 0});
                for (const auto& one : *dead)
                  queue->retry(one.id, [this, queue, left, done, then, page](Result<State> state) {
                    if (state) ++page->again;
                    if (--page->open > 0) return;
                    if (page->again == 0) return then(done);
                    redrive_some(queue, left - std::min(left, page->again), done + page->again, then);
                  });
              }));
}

void Engine::purge(const std::string& queue, State state, Then<std::size_t> then) {
  with_queue_named(queue, [this, state, then = std::move(then)](Result<QueuePtr> found) mutable {
    if (!found) return then(propagate(found));
    store_.purge((*found)->info().id, state, std::move(then));
  });
}

}  // namespace mayfly::events
