#include "bound.h"

#include <algorithm>
#include <functional>
#include <queue>

namespace mayfly::bench {
namespace {

/// One function: how many run, and since when each level has been idle.
struct Levels {
  std::priority_queue<double, std::vector<double>, std::greater<>> ends;
  std::vector<double> idle_since;  ///< of level k at k - 1
  std::uint64_t running = 0;

  [[nodiscard]] std::uint64_t busy(std::uint32_t concurrency) const {
    return (running + concurrency - 1) / concurrency;
  }
  void end_until(double now, std::uint32_t concurrency) {
    for (; !ends.empty() && ends.top() <= now; ends.pop()) {
      const auto before = busy(concurrency);
      --running;
      if (busy(concurrency) < before) idle_since[before - 1] = ends.top();
    }
  }
};

}  // namespace

std::uint64_t fewest_cold_starts(const std::vector<TracedFunction>& functions,
                                 const std::vector<Arrival>& day, std::uint32_t concurrency,
                                 double idle_gib) {
  std::vector<Levels> all(functions.size());
  std::vector<double> prices;  // bytes × seconds of every idle time that ended in a use
  std::uint64_t cold = 0;
  for (const Arrival& arrival : day) {
    Levels& levels = all[arrival.function];
    levels.end_until(arrival.at, concurrency);
    const auto before = levels.busy(concurrency);
    ++levels.running;
    levels.ends.push(arrival.at + arrival.duration);
    if (levels.busy(concurrency) == before) continue;
    if (levels.idle_since.size() == before) {
      ++cold;  // never needed before
      levels.idle_since.push_back(0);
    } else {
      prices.push_back((arrival.at - levels.idle_since[before]) *
                       static_cast<double>(functions[arrival.function].bytes));
    }
  }
  std::ranges::sort(prices);
  double left = idle_gib * 86400 * (1ULL << 30);
  for (const double price : prices) {
    left -= price;
    if (left < 0) ++cold;
  }
  return cold;
}

}  // namespace mayfly::bench
