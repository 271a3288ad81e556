#include "events/policy.h"

#include <algorithm>

namespace mayfly::events {

std::chrono::milliseconds backoff_delay(const Policy& policy, int attempts, std::mt19937_64& random) {
  const int doublings = std::clamp(attempts - 1, 0, 40);
  const auto most = std::max(policy.backoff, policy.backoff_max).count();
  const auto base = policy.backoff.count();
  const auto delay = base > (most >> doublings) ? most : base << doublings;
  std::uniform_int_distribution<std::int64_t> chance(0, delay - delay / 2);
  return std::chrono::milliseconds(delay / 2 + chance(random));
}

}  // namespace mayfly::events
