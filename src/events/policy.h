// How the deliveries of a queue are attempted.
#pragma once

#include <chrono>
#include <random>

namespace mayfly::events {

struct Policy {
  int attempts = 5;                          ///< 1 …: then it is dead
  std::chrono::milliseconds backoff{1'000};  ///< before the second attempt; doubled before each further one …
  std::chrono::milliseconds backoff_max{3'600'000};   ///< … up to this
  std::chrono::milliseconds max_age{86'400'000};      ///< since its acceptance: then it is dead
  int concurrency = 16;                               ///< invocations of the queue at once, 1 …
  int batch = 1;                                      ///< events in an invocation, 1 … 1000
  std::chrono::milliseconds batch_wait{0};            ///< how long the first one waits for the others
  bool ordered = false;                               ///< one after another for each partition
  std::chrono::milliseconds keep_result{86'400'000};  ///< of what succeeded or was cancelled
  std::chrono::milliseconds keep_dead{14LL * 86'400'000};
  /// Attempts at once for each partition, of those that have one; 0: as many as there may be. What is beyond
  /// waits, and others go ahead of it. Not with batches.
  int most_of_partition = 0;
  /// The function gets each event as an HTTP request of its own: not with batches.
  bool as_requests = false;
  bool operator==(const Policy&) const = default;
};

/// How long to wait before the next attempt, when `attempts` have failed: half of the exponential delay for
/// certain, the other half by chance, so that what failed together does not come back together ("equal
/// jitter" in Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog 2015).
[[nodiscard]] std::chrono::milliseconds backoff_delay(const Policy& policy, int attempts,
                                                      std::mt19937_64& random);

}  // namespace mayfly::events
