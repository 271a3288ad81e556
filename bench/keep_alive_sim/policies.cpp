#include "policies.h"

#include <limits>

namespace mayfly::bench {

namespace {
constexpr double kNever = std::numeric_limits<double>::infinity();
}

Ours::Ours(const std::vector<TracedFunction>& functions, const pool::KeepAliveOptions& options)
    : policy_(options), budget_(options.budget) {
  for (std::uint32_t f = 0; f < functions.size(); ++f)
    policy_.add(f, {.bytes = functions[f].bytes, .start_ms = 1, .at_least = 0});
}

MonotonicTime Ours::time(double seconds) {
  // An hour after zero: the policy's own zero means "never".
  return MonotonicTime{} + std::chrono::hours(1) +
         std::chrono::duration_cast<MonotonicTime::duration>(std::chrono::duration<double>(seconds));
}

double Ours::next() const {
  const auto due = policy_.next_decision();
  if (!due) return kNever;
  return std::chrono::duration<double>(*due - time(0)).count() + 1e-6;
}

void Ours::act(double now, Fleet& fleet) {
  if (next() > now && policy_.bytes_held() <= budget_) return;
  // A start ahead may need room: again, until there is nothing left to do.
  for (auto actions = policy_.decide(time(now)); !actions.empty(); actions = policy_.decide(time(now)))
    for (const auto& action : actions) {
      const auto function = static_cast<std::uint32_t>(action.key);
      if (action.kind == pool::KeepAlive::Action::Kind::evict)
        fleet.evict(function);
      else
        fleet.prewarm(function);
    }
}

void FixedTime::started(std::uint32_t function, double now) { returned(function, now); }

void FixedTime::taken(std::uint32_t function, double) { idle_[function].pop_back(); }

void FixedTime::returned(std::uint32_t function, double now) {
  idle_[function].push_back({now, ++numbers_});
  expiries_.push_back({now + keep_, function, numbers_});
}

double FixedTime::next() const { return expiries_.empty() ? kNever : expiries_.front().at; }

void FixedTime::act(double now, Fleet& fleet) {
  while (!expiries_.empty() && expiries_.front().at <= now) {
    const Expiry expiry = expiries_.front();
    expiries_.pop_front();
    auto& idle = idle_[expiry.function];
    if (idle.empty() || idle.front().number != expiry.number) continue;  // it was used since
    idle.pop_front();
    fleet.evict(expiry.function);
  }
}

}  // namespace mayfly::bench
