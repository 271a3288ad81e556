// Queues without a function: it was deleted, or subscribes no longer. What waits in them grows old as
// everywhere, and hinders nobody else; people can drop them.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/post.hpp>

#include "events/after.h"
#include "events/engine.h"

namespace mayfly::events {
namespace {

namespace asio = boost::asio;
constexpr std::chrono::milliseconds kReadSoon{50};
constexpr std::chrono::milliseconds kReadAgain{1'000};

/// Whose queue it was, by its name.
std::string function_of(const std::string& queue) {
  if (const auto end = queue.rfind('>'); end != std::string::npos) return queue.substr(end + 1);
  const auto begin = queue.find(':') + 1;
  return queue.substr(begin, queue.find(':', begin) - begin);
}

bool is_functions(const std::string& queue) {
  if (queue.starts_with(kPipelinePrefix)) return false;
  return queue.contains('>') || queue.starts_with("function:") || queue.starts_with("schedule:");
}

/// What its function wanted is not known any more: what is older than a day goes, and leaves no dead letter.
Policy forgotten_policy() {
  Policy policy;
  policy.keep_dead = std::chrono::milliseconds(0);
  return policy;
}

}  // namespace

void Engine::adopt_rest() {
  asio::post(io_, [this] {
    if (quiet_) return;
    if (!read_) return after(io_.get_executor(), kReadSoon, [this] { adopt_rest(); });
    store_.queues(here<std::vector<QueueInfo>>([this](auto queues) {
      if (!queues) {
        spdlog::error("queues cannot be read: {}", queues.error().message);
        return after(io_.get_executor(), kReadAgain, [this] { adopt_rest(); });
      }
      for (const auto& queue : *queues) {
        const auto function = function_of(queue.name);
        const auto known = functions_.find(function);
        const bool is_coming = known != functions_.end() && known->second.contains(queue.name);
        // Pipelines and callbacks say for themselves which there are.
        if (by_name_.contains(queue.name) || is_coming || !is_functions(queue.name)) continue;
        add_queue(queue, function, QueueRules{forgotten_policy(), {}, {}});
      }
    }));
  });
}

void Engine::drop(const std::string& name, Then<void> then) {
  with_queue_named(name, [this, then = std::move(then)](Result<QueuePtr> found) mutable {
    if (!found) return then(propagate(found));
    const auto queue = *found;
    if (queue->attached())
      return then(fail(EventsErrc::queue_attached,
                       "the function '" + queue->function() + "' is there, and has this queue"));
    if (!queue->idle())
      return then(fail(EventsErrc::delivery_running, "one of its deliveries is being attempted"));
    queue->stop();
    const auto info = queue->info();
    by_name_.erase(info.name);
    queues_.erase(info.id);
    std::erase(by_stream_[info.stream], queue);
    if (const auto stream = streams_.find(info.stream)) look_at_backlog(*stream);
    store_.drop_queue(info.id, std::move(then));
  });
}

}  // namespace mayfly::events
