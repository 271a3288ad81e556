#include "simulator.h"

#include <algorithm>
#include <deque>
#include <queue>
#include <set>
#include <stdexcept>

namespace mayfly::bench {
namespace {

constexpr double kDay = 86400;
constexpr double kGiB = 1ULL << 30;

struct Completion {
  double at;
  std::uint32_t function, instance;
  bool operator>(const Completion& other) const { return at > other.at; }
};

/// The instances of one function, by number; numbers are used again.
struct Instances {
  std::vector<std::uint32_t> in_flight;
  std::set<std::uint32_t> open;     ///< busy, with a free slot
  std::deque<std::uint32_t> idle;   ///< the one used last at the back
  std::vector<std::uint32_t> free;  ///< numbers to use again
  std::uint32_t live = 0;

  std::uint32_t make() {
    ++live;
    if (free.empty()) {
      in_flight.push_back(0);
      return static_cast<std::uint32_t>(in_flight.size() - 1);
    }
    const auto number = free.back();
    free.pop_back();
    return number;
  }
};

class Simulation final : public Fleet {
 public:
  Simulation(const std::vector<TracedFunction>& functions, std::uint32_t concurrency, Policy& policy)
      : functions_(functions), instances_(functions.size()), concurrency_(concurrency), policy_(policy) {}

  Outcome run(const std::vector<Arrival>& day) {
    for (const Arrival& arrival : day) {
      run_until(arrival.at);
      arrive(arrival);
      policy_.act(now_, *this);
    }
    run_until(kDay);
    move_clock(kDay);
    outcome_.average_gib /= kDay;
    outcome_.busy_gib /= kDay;
    return outcome_;
  }

  void evict(std::uint32_t function) override {
    Instances& all = instances_[function];
    if (all.idle.empty()) throw std::logic_error("evicted an instance that is not there");
    all.free.push_back(all.idle.front());
    all.idle.pop_front();
    --all.live;
    held_ -= gib(function);
  }

  void prewarm(std::uint32_t function) override {
    ++outcome_.prewarmed;
    instances_[function].idle.push_front(instances_[function].make());
    held_ += gib(function);
    policy_.started(function, now_);
  }

 private:
  [[nodiscard]] double gib(std::uint32_t function) const {
    return static_cast<double>(functions_[function].bytes) / kGiB;
  }

  /// What was held only within an instant (started, then room was made) does not count.
  void move_clock(double to) {
    if (to > now_) outcome_.peak_gib = std::max(outcome_.peak_gib, held_);
    outcome_.average_gib += held_ * (to - now_);
    outcome_.busy_gib += busy_ * (to - now_);
    now_ = to;
  }

  void run_until(double end) {
    for (;;) {
      const double done = completions_.empty() ? kDay * 10 : completions_.top().at;
      const double decision = policy_.next();
      if (std::min(done, decision) > end) break;
      move_clock(std::max(now_, std::min(done, decision)));
      if (done <= decision) complete();
      policy_.act(now_, *this);
    }
    move_clock(end);
  }

  void arrive(const Arrival& arrival) {
    const auto f = arrival.function;
    Instances& all = instances_[f];
    ++outcome_.invocations;
    const std::uint32_t number = all.open.empty() ? take(f) : *all.open.begin();
    if (++all.in_flight[number] < concurrency_)
      all.open.insert(number);
    else
      all.open.erase(number);
    completions_.push({now_ + arrival.duration, f, number});
  }

  /// An instance that was idle, or a new one.
  std::uint32_t take(std::uint32_t function) {
    Instances& all = instances_[function];
    if (all.idle.empty()) {
      ++outcome_.cold;
      all.idle.push_back(all.make());
      held_ += gib(function);
      policy_.started(function, now_);
    }
    const auto number = all.idle.back();
    all.idle.pop_back();
    busy_ += gib(function);
    policy_.taken(function, now_);
    return number;
  }

  void complete() {
    const Completion done = completions_.top();
    completions_.pop();
    Instances& all = instances_[done.function];
    if (--all.in_flight[done.instance] > 0) {
      all.open.insert(done.instance);
      return;
    }
    all.open.erase(done.instance);
    all.idle.push_back(done.instance);
    busy_ -= gib(done.function);
    policy_.returned(done.function, now_);
  }

  const std::vector<TracedFunction>& functions_;
  std::vector<Instances> instances_;
  std::uint32_t concurrency_;
  Policy& policy_;
  std::priority_queue<Completion, std::vector<Completion>, std::greater<>> completions_;
  double now_ = 0, held_ = 0, busy_ = 0;
  Outcome outcome_;
};

}  // namespace

Outcome simulate(const std::vector<TracedFunction>& functions, const std::vector<Arrival>& day,
                 std::uint32_t concurrency, Policy& policy) {
  return Simulation(functions, concurrency, policy).run(day);
}

}  // namespace mayfly::bench
