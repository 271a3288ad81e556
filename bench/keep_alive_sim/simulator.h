// Runs a day of arrivals against a keep-alive policy and a simulated clock.
#pragma once

#include <cstdint>
#include <vector>

#include "trace.h"

namespace mayfly::bench {

/// What a policy may do to the fleet: it names functions, never instances.
class Fleet {
 public:
  virtual ~Fleet() = default;
  virtual void evict(std::uint32_t function) = 0;    ///< end the idle instance used least recently
  virtual void prewarm(std::uint32_t function) = 0;  ///< make an idle one; takes no time
};

/// A keep-alive policy under test. Times are seconds since midnight.
class Policy {
 public:
  virtual ~Policy() = default;
  virtual void started(std::uint32_t function, double now) = 0;
  virtual void taken(std::uint32_t function, double now) = 0;
  virtual void returned(std::uint32_t function, double now) = 0;
  /// When act() next has something to do; infinity: only after the next event.
  [[nodiscard]] virtual double next() const = 0;
  virtual void act(double now, Fleet& fleet) = 0;
};

struct Outcome {
  std::uint64_t invocations = 0;
  std::uint64_t cold = 0;       ///< invocations that had to wait for a start
  std::uint64_t prewarmed = 0;  ///< starts made ahead of demand (nobody waited)
  double average_gib = 0;       ///< time average of memory held, busy and idle
  double busy_gib = 0;          ///< of it, instances that were running something
  double peak_gib = 0;
};

/// One day. `concurrency`: invocations that an instance takes at once; an invocation that finds every
/// instance full needs another one. The fullest come first (lowest number), so that the others can fall idle.
[[nodiscard]] Outcome simulate(const std::vector<TracedFunction>& functions, const std::vector<Arrival>& day,
                               std::uint32_t concurrency, Policy& policy);

}  // namespace mayfly::bench
