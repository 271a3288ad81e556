#include "events/engine.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <future>

#include "base/text.h"
#include "events/after.h"

namespace mayfly::events {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

/// An event is kept for so long, whether or not anybody still has to deliver it: so that what was accepted
/// can be looked at.
constexpr std::chrono::hours kKeepEvents{24};
constexpr std::chrono::seconds kExpireEvery{10};
constexpr std::size_t kExpireAtOnce = 2'000;
constexpr std::chrono::seconds kReadAgain{1};

}  // namespace

std::string own_stream(const std::string& function) {
  return function.starts_with(kPipelinePrefix) ? function : "function:" + function;
}

Engine::Engine(EventStore& store, Deliverer& deliverer, const Clock& clock, std::uint64_t max_backlog)
    : store_(store),
      clock_(clock),
      max_backlog_(max_backlog),
      work_(io_.get_executor()),
      deadlines_(clock.now()),
      wheel_timer_(io_.get_executor(), deadlines_),
      context_{store, deliverer, deadlines_, clock, io_.get_executor()},
      schedules_(
          deadlines_, clock,
          [this](NewEvent event, Then<std::vector<Accepted>> then) {
            std::vector<NewEvent> events;
            events.push_back(std::move(event));
            append(std::move(events), here<std::vector<Accepted>>(std::move(then)));
          },
          [this](Mark mark) {
            store_.set_mark(std::move(mark), [](const Result<void>& written) {
              if (!written) spdlog::error("a mark was not written: {}", written.error().message);
            });
          }),
      expiry_(io_) {}

Engine::~Engine() { stop(milliseconds(0)); }

void Engine::start() {
  read_all();
  expire_now_and_then();
  thread_ = std::thread([this] { io_.run(); });
}

void Engine::use_callbacks(const CallbackRules& rules, const Policy& policy) {
  context_.callbacks = &rules;
  functions_[{}].insert(kCallbackQueue);  // of no function
  attach(kCallbackQueue, kCallbackQueue, {}, {policy});
}

Result<void> Engine::check_callback(const std::string& url) const {
  if (context_.callbacks == nullptr) return fail(EventsErrc::no_callbacks, "nobody is called back here");
  return context_.callbacks->check(url);
}

/// Until it is known which streams there are, and how far schedules had got: again and again.
void Engine::read_all() {
  const auto failed = [this](const Error& error) {
    spdlog::error("events cannot be read: {}", error.message);
    after(io_.get_executor(), kReadAgain, [this] { read_all(); });
  };
  store_.marks(here<std::map<std::string, std::int64_t>>([this, failed](auto marks) {
    if (!marks) return failed(marks.error());
    schedules_.set_marks(std::move(*marks));
    store_.streams(here<std::vector<StreamInfo>>([this, failed](auto streams) {
      if (!streams) return failed(streams.error());
      for (const auto& stream : *streams) streams_.add(stream);
      read_ = true;
      for (const auto& [name, queue] : by_name_) set_schedule(*queue);
    }));
  }));
}

bool Engine::idle() const {
  return std::ranges::all_of(queues_, [](const auto& one) { return one.second->idle(); });
}

void Engine::quiesce() {
  asio::post(io_, [this] {
    quiet_ = true;
    expiry_.cancel();
    schedules_.stop();
    for (const auto& [id, queue] : queues_) queue->stop();
  });
}

void Engine::stop(milliseconds patience) {
  if (!thread_.joinable()) return;
  quiesce();
  const auto until = std::chrono::steady_clock::now() + patience;
  for (bool done = false; !done && std::chrono::steady_clock::now() < until;) {
    auto asked = std::make_shared<std::promise<bool>>();
    asio::post(io_, [this, asked] { asked->set_value(idle()); });
    done = asked->get_future().get();
    if (!done) std::this_thread::sleep_for(milliseconds(5));
  }
  io_.stop();
  thread_.join();
  // What the store was asked comes back here: it has all come when this has.
  auto last = std::make_shared<std::promise<void>>();
  store_.marks([last](const auto&) { last->set_value(); });
  last->get_future().wait();
  for (const auto& [id, queue] : queues_) queue->stop();  // some may be held by what came back
  by_name_.clear();
  queues_.clear();
}

// --- Accepting ---------------------------------------------------------------------------------------

void Engine::accept(std::string stream, std::vector<NewEvent> events, Then<std::vector<Accepted>> then) {
  const auto known = streams_.find(stream);
  if (known && !known->full.load(std::memory_order_relaxed)) {
    for (auto& event : events) event.stream = known->id;
    return append(std::move(events), std::move(then));
  }
  auto held = std::make_shared<std::vector<NewEvent>>(std::move(events));
  asio::post(io_, [this, stream = std::move(stream), held, then = std::move(then)]() mutable {
    accept_here(stream, std::move(*held), std::move(then));
  });
}

Result<void> Engine::check_room(const std::string& stream) const {
  const auto known = streams_.find(stream);
  if (!known || !known->full) return {};
  Error error{EventsErrc::backlog_full, "too many events wait to be delivered", {}};
  return std::unexpected(
      std::move(error.with("limit", std::to_string(max_backlog_)).with("retry-after", "5")));
}

/// On the engine's thread: the stream is not known yet, or had too much waiting in it.
void Engine::accept_here(const std::string& stream, std::vector<NewEvent> events,
                         Then<std::vector<Accepted>> then) {
  if (const auto known = streams_.find(stream)) {
    look_at_backlog(*known);
    if (auto room = check_room(stream); !room) return then(propagate(room));
    for (auto& event : events) event.stream = known->id;
    return append(std::move(events), std::move(then));
  }
  if (stream.starts_with("topic:") && !is_wanted(stream.substr(6))) {
    if (!read_) return then(fail(EventsErrc::store_failed, "the topics are not read yet"));
    const auto name = stream.substr(6);
    const auto known = topics();
    std::vector<std::string_view> names;
    for (const auto& topic : known) names.push_back(topic.name);
    return then(fail(EventsErrc::unknown_topic, "no topic '" + name + "'" + did_you_mean(name, names)));
  }
  auto held = std::make_shared<std::vector<NewEvent>>(std::move(events));
  open(stream, [this, held, then = std::move(then)](Result<StreamInfo> info) mutable {
    if (!info) return then(propagate(info));
    for (auto& event : *held) event.stream = info->id;
    append(std::move(*held), std::move(then));
  });
}

/// A function subscribes to it: the topic is about to be made.
bool Engine::is_wanted(const std::string& topic) const {
  return std::ranges::any_of(functions_,
                             [&](const auto& one) { return one.second.contains(topic + ">" + one.first); });
}

namespace {

std::size_t bytes_of(const std::vector<EventPtr>& events) {
  std::size_t bytes = 0;
  for (const auto& one : events) bytes += sizeof(Event) + one->fields.size() + one->body.size();
  return bytes;
}

}  // namespace

/// To the engine's thread.
void Engine::post_appended(std::vector<EventPtr> events) {
  if (events.empty()) return;
  unseen_ += bytes_of(events);
  asio::post(io_, [this, fresh = std::move(events)] {
    unseen_ -= bytes_of(fresh);
    on_appended(fresh);
  });
}

void Engine::append(std::vector<NewEvent> events, Then<std::vector<Accepted>> then) {
  if (unseen_ >= kMaxUnseen)
    return then(fail(EventsErrc::store_full, "too much was accepted that is not looked at yet"));
  store_.append(std::move(events), [this, then = std::move(then)](Result<std::vector<Accepted>> accepted) {
    if (accepted) {
      std::vector<EventPtr> fresh;
      for (const auto& one : *accepted)
        if (!one.known) fresh.push_back(one.event);
      post_appended(std::move(fresh));
    }
    then(std::move(accepted));
  });
}

void Engine::decide(Decision decision, Then<void> then, std::size_t brings) {
  store_.decide(std::move(decision), brings,
                [this, then = std::move(then)](Result<std::vector<EventPtr>> accepted) {
                  if (!accepted) return then(propagate(accepted));
                  post_appended(std::move(*accepted));
                  then({});
                });
}

void Engine::on_appended(const std::vector<EventPtr>& events) {
  for (const auto& event : events) {
    const auto stream = streams_.find(event->stream);
    if (!stream) continue;
    stream->newest = std::max<Position>(stream->newest, event->position);
    for (const auto& queue : by_stream_[event->stream]) queue->on_appended(event);
    look_at_backlog(*stream);
  }
}

void Engine::look_at_backlog(Stream& stream) {
  std::uint64_t most = 0;
  for (const auto& queue : by_stream_[stream.id])
    if (queue->attached()) most = std::max(most, queue->backlog());  // the others are nobody's loss
  stream.full = most >= max_backlog_;
}

void Engine::open(const std::string& stream, Then<StreamInfo> then) {
  if (const auto known = streams_.find(stream))
    return then(StreamInfo{known->id, known->open, stream, known->newest});
  store_.open_stream(stream, here<StreamInfo>([this, then = std::move(then)](auto info) {
                       // First what is to be done with it, such as opening its queue: as soon as it can be
                       // found, others write to it, and a queue begins behind what is there.
                       then(info);
                       if (info) streams_.add(*info);
                     }));
}

void Engine::make_topic(const std::string& name, bool anybody, Then<void> then) {
  asio::post(io_, [this, name, anybody, then = std::move(then)] {
    open("topic:" + name, [this, name, anybody, then](Result<StreamInfo> info) {
      if (!info) return then(propagate(info));
      store_.set_open(info->id, anybody, here<void>([this, name, anybody, then](auto result) {
                        if (result) streams_.find("topic:" + name)->open = anybody;
                        then(std::move(result));
                      }));
    });
  });
}

std::vector<Engine::TopicView> Engine::topics() const {
  std::vector<TopicView> views;
  for (const auto& name : streams_.names("topic:")) {
    const auto stream = streams_.find(name);
    views.push_back({name.substr(6), stream->open, stream->newest});
  }
  return views;
}

bool Engine::is_open_topic(const std::string& name) const {
  const auto stream = streams_.find("topic:" + name);
  return stream && stream->open;
}

// --- Functions ---------------------------------------------------------------------------------------

void Engine::set_function(std::string name, std::optional<FunctionEvents> events) {
  asio::post(io_, [this, name = std::move(name), events = std::move(events)] {
    std::set<std::string> wanted;
    const bool was_known = functions_.contains(name);
    if (events) {
      wanted.insert(own_stream(name));
      for (const auto& one : events->subscriptions) wanted.insert(one.topic + ">" + name);
      for (const auto& one : events->schedules) wanted.insert(one.name(name));
    }
    const auto had = std::exchange(functions_[name], wanted);
    for (const auto& queue : had) {
      if (wanted.contains(queue)) continue;
      specs_.erase(queue);
      schedules_.remove(queue);
      if (const auto found = by_name_.find(queue); found != by_name_.end()) found->second->attach(false);
    }
    if (!events) {
      functions_.erase(name);
      return;
    }
    attach(own_stream(name), own_stream(name), name, {events->async, {}, events->role});
    for (const auto& one : events->subscriptions)
      attach("topic:" + one.topic, one.topic + ">" + name, name, {one.policy, one.filter, events->role});
    for (const auto& one : events->schedules) {
      auto& spec = specs_[one.name(name)] = one;
      // Of a version that is back: its times have passed while another one, without it, was there.
      if (was_known && !had.contains(one.name(name))) spec.since = std::max(spec.since, clock_.wall());
      attach(one.name(name), one.name(name), name, {one.policy, {}, events->role});
    }
  });
}

/// Its queue is there: from now on a schedule's times come.
void Engine::set_schedule(const Queue& queue) {
  const auto found = specs_.find(queue.info().name);
  if (found == specs_.end() || !read_ || quiet_) return;
  schedules_.set(queue.function(), found->second, queue.info().stream, queue.paused());
}

/// Makes a queue, or finds it, and gives it its policy.
void Engine::attach(const std::string& stream, const std::string& queue, const std::string& function,
                    const QueueRules& rules) {
  if (const auto found = by_name_.find(queue); found != by_name_.end()) {
    found->second->set(rules.policy, rules.filter, rules.role);
    set_schedule(*found->second);
    return found->second->attach(true);
  }
  const auto failed = [this, stream, queue, function, rules](const Error& error) {
    spdlog::error("the queue {} cannot be opened: {}", queue, error.message);
    after(io_.get_executor(), kReadAgain, [this, stream, queue, function, rules] {
      const auto found = functions_.find(function);
      if (found != functions_.end() && found->second.contains(queue)) attach(stream, queue, function, rules);
    });
  };
  open(stream, [this, queue, function, rules, failed](Result<StreamInfo> info) {
    if (!info) return failed(info.error());
    store_.open_queue(queue, info->id, here<QueueInfo>([this, function, rules, failed](auto opened) {
                        if (!opened) return failed(opened.error());
                        add_queue(*opened, function, rules);
                      }));
  });
}

void Engine::add_queue(const QueueInfo& info, const std::string& function, const QueueRules& rules) {
  auto& slot = by_name_[info.name];
  if (!slot) {
    slot = std::make_shared<Queue>(context_, info, function);
    slot->follow_up = [this](const std::vector<EventPtr>& events) { on_appended(events); };
    queues_[info.id] = slot;
    by_stream_[info.stream].push_back(slot);
    slot->set(rules.policy, rules.filter, rules.role);  // before the first event comes
    slot->start(streams_.find(info.stream)->newest);
  }
  slot->set(rules.policy, rules.filter, rules.role);
  const auto known = functions_.find(function);
  slot->attach(known != functions_.end() && known->second.contains(info.name));
  set_schedule(*slot);
}

void Engine::expire_now_and_then() {
  expiry_.expires_after(kExpireEvery);
  expiry_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    if (!jumps_.is_doubtful(clock_)) return expire();
    if (!std::exchange(held_, true))
      spdlog::warn("the clock has jumped forward: for an hour nothing expires");
    expire_now_and_then();
  });
}

void Engine::expire() {
  held_ = false;
  store_.expire(clock_.wall(), kKeepEvents, kExpireAtOnce, here<std::size_t>([this](auto removed) {
                  if (removed && *removed >= kExpireAtOnce) return expire();
                  expire_now_and_then();
                }));
}

}  // namespace mayfly::events
