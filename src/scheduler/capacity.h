// The room for instances on this shard, shared fairly between the functions that want it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>

namespace mayfly::scheduler {

/// One that wants room. Called on the shard's thread.
class CapacityClient {
 public:
  virtual ~CapacityClient() = default;
  /// There may be room now: try again. Called at most once for each ask().
  virtual void on_room() = 0;
  /// Instances that it has.
  [[nodiscard]] virtual int holds() const = 0;
};

/// Counts instances of all functions of a shard against one limit. When there is no room, functions take
/// turns, one instance a turn, whoever has fewest first: a function with a long queue gets no more turns than
/// one with a short one. A function that has more than one that waits owes it room: a flooded function's
/// instances are never idle, so it would keep them for ever. Not thread-safe.
class Capacity {
 public:
  explicit Capacity(std::size_t limit) : limit_(limit) {}

  /// Take room for one instance; false: there is none, and `client` will be called when it is its turn.
  [[nodiscard]] bool take(CapacityClient& client) {
    if (used_ >= limit_ && make_room) make_room();
    if (used_ < limit_ && (queue_.empty() || in_turn_)) {
      ++used_;
      return true;
    }
    ask(client);
    return false;
  }
  /// Ends an idle instance somewhere, if there is one. May be empty.
  std::function<void()> make_room;
  /// An instance has ended: the next in turn may try.
  void give_back() {
    if (used_ > 0) --used_;
    next_turn();
  }
  /// Whether another waits that has fewer instances, also after this one has given one away.
  [[nodiscard]] bool owes(const CapacityClient& client) const {
    return std::ranges::any_of(queue_, [&](const CapacityClient* waiting) {
      return waiting != &client && waiting->holds() + 1 < client.holds();
    });
  }
  /// The client is going.
  void forget(CapacityClient& client) { std::erase(queue_, &client); }
  [[nodiscard]] bool wanted() const { return !queue_.empty(); }
  [[nodiscard]] std::size_t used() const { return used_; }
  [[nodiscard]] std::size_t limit() const { return limit_; }

 private:
  void ask(CapacityClient& client) {
    for (const auto* waiting : queue_)
      if (waiting == &client) return;
    queue_.push_back(&client);
  }
  void next_turn() {
    if (in_turn_) return;
    in_turn_ = true;
    for (std::size_t turns = queue_.size(); turns > 0 && used_ < limit_; --turns) {
      const auto next = std::ranges::min_element(queue_, {}, [](const auto* c) { return c->holds(); });
      CapacityClient* client = *next;
      queue_.erase(next);
      client->on_room();  // may take, and may ask again: then it is behind the others
    }
    in_turn_ = false;
  }

  std::size_t limit_;
  std::size_t used_ = 0;
  bool in_turn_ = false;
  std::deque<CapacityClient*> queue_;
};

}  // namespace mayfly::scheduler
