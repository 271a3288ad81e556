// What people ask of the engine: to look at deliveries, to cancel them, to attempt them again.
#include <algorithm>
#include <boost/asio/post.hpp>

#include "base/text.h"
#include "events/engine.h"

namespace mayfly::events {

/// A list that is being put together.
struct Listing {
  DeliveryQuery query;
  std::vector<DeliveryRecord> stored{};  // that was read so far, newest first
  Position low = UINT64_MAX;             // what is stored from here on was read
  Then<std::vector<DeliveryRecord>> then;
};

namespace {

namespace asio = boost::asio;
constexpr std::size_t kRedriveAtOnce = 100;

/// What was read of a queue's deliveries, and what is in memory as far as that reaches: newest first.
std::vector<DeliveryRecord> merged(const Queue& queue, const Listing& listing) {
  const auto& query = listing.query;
  auto records = queue.window(query);
  std::erase_if(records, [&](const DeliveryRecord& one) {
    return one.id.position < listing.low ||
           std::ranges::any_of(
               listing.stored, [&](const auto& each) { return each.id.position == one.id.position; });
  });
  for (auto one : listing.stored) {
    const auto position = one.id.position;
    one.id = queue.id_of(position, one.id.check);
    if (!is_final(one.state)) one.state = queue.peek(position).value_or(one.state);
    if (!query.state || one.state == *query.state) records.push_back(std::move(one));
  }
  std::ranges::sort(records, std::greater(), [](const auto& each) { return each.id.position; });
  if (records.size() > query.limit) records.resize(query.limit);
  return records;
}

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
    if (const auto all = by_stream_.find(id.stream);
        id.queue == 0 && !queue && all != by_stream_.end() && !all->second.empty())
      return then(fail(
          EventsErrc::unknown_delivery,
          "'" + to_text(id) + "' is an event for " + std::to_string(all->second.size()) +
              " subscriptions: `mayfly invocation get` lists its deliveries, which have ids of their own"));
    if (id.queue == 0 && queue) id.queue = queue->info().id;
    store_.find(id, here<DeliveryRecord>([queue, then = std::move(then)](auto record) {
                  if (record && queue) {
                    const auto position = record->id.position;
                    record->id = queue->id_of(position, record->id.check);
                    if (!is_final(record->state))
                      record->state = queue->peek(position).value_or(record->state);
                  }
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
void Engine::give_up(DeliveryId id, Then<State> then) { with_queue(id, std::move(then), &Queue::give_up); }
void Engine::retry(DeliveryId id, Then<State> then) { with_queue(id, std::move(then), &Queue::retry); }

void Engine::with_queue_named(const std::string& name, std::function<void(Result<QueuePtr>)> then) {
  asio::post(io_, [this, name, then = std::move(then)] {
    const auto found = by_name_.find(name);
    if (found == by_name_.end()) {
      std::vector<std::string_view> names;
      for (const auto& [known, queue] : by_name_) names.push_back(known);
      return then(fail(EventsErrc::unknown_queue, "no queue '" + name + "'" + did_you_mean(name, names)));
    }
    then(found->second);
  });
}

void Engine::list(const std::string& queue, DeliveryQuery query, Then<std::vector<DeliveryRecord>> then) {
  with_queue_named(queue, [this, query, then = std::move(then)](Result<QueuePtr> found) mutable {
    if (!found) return then(propagate(found));
    query.queue = (*found)->info().id;
    if (query.state == State::running) return then((*found)->window(query));  // is never written down
    list_on(*found, std::make_shared<Listing>(Listing{query, {}, query.before, std::move(then)}));
  });
}

/// Reads a page more, as long as it is not full: some that are stored in a state are in another one by now.
void Engine::list_on(const QueuePtr& queue, const std::shared_ptr<Listing>& listing) {
  auto query = listing->query;
  query.before = listing->low;
  query.limit = std::max<std::size_t>(query.limit, 100);
  store_.list(query, here<std::vector<DeliveryRecord>>([this, queue, listing](auto page) {
                if (!page) return listing->then(propagate(page));
                const bool is_last = page->empty();
                listing->low = is_last ? 0 : page->back().id.position;
                std::ranges::move(*page, std::back_inserter(listing->stored));
                auto records = merged(*queue, *listing);
                if (is_last || records.size() >= listing->query.limit)
                  return listing->then(std::move(records));
                list_on(queue, listing);
              }));
}

void Engine::queues(Then<std::vector<QueueView>> then) {
  asio::post(io_, [this, then = std::move(then)] {
    struct Views {
      std::vector<QueueView> all;
      std::size_t open = 0;
    };
    auto views = std::make_shared<Views>();
    for (const auto& [name, queue] : by_name_)
      views->all.push_back({queue->info(),
                            queue->function(),
                            queue->policy(),
                            queue->figures(),
                            {},
                            queue->attached(),
                            queue->paused()});
    views->open = views->all.size();
    if (views->open == 0) return then(std::vector<QueueView>());
    for (auto& view : views->all)
      store_.count(view.info.id, here<std::map<State, std::uint64_t>>([views, &view, then](auto counts) {
                     if (counts) view.kept = std::move(*counts);
                     if (--views->open == 0) then(std::move(views->all));
                   }));
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
