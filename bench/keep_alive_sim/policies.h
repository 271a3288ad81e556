// The policies that are compared: ours, a fixed time, none.
#pragma once

#include <deque>
#include <vector>

#include "pool/keep_alive.h"
#include "simulator.h"

namespace mayfly::bench {

/// pool/keep_alive.h, the very object, on simulated time. Every start costs the same (one cold
/// start).
class Ours final : public Policy {
 public:
  Ours(const std::vector<TracedFunction>& functions, const pool::KeepAliveOptions& options);
  void started(std::uint32_t function, double now) override { policy_.started(function, time(now)); }
  void taken(std::uint32_t function, double now) override { policy_.taken(function, time(now)); }
  void returned(std::uint32_t function, double now) override { policy_.returned(function, time(now)); }
  [[nodiscard]] double next() const override;
  void act(double now, Fleet& fleet) override;

 private:
  static MonotonicTime time(double seconds);
  pool::KeepAlive policy_;
  std::uint64_t budget_;
};

/// An instance ends when it has been idle for so long; 0: at once.
class FixedTime final : public Policy {
 public:
  FixedTime(std::size_t functions, double seconds) : keep_(seconds), idle_(functions) {}
  void started(std::uint32_t function, double now) override;
  void taken(std::uint32_t function, double now) override;
  void returned(std::uint32_t function, double now) override;
  [[nodiscard]] double next() const override;
  void act(double now, Fleet& fleet) override;

 private:
  struct Idle {
    double since;
    std::uint64_t number;
  };
  struct Expiry {
    double at;
    std::uint32_t function;
    std::uint64_t number;
  };
  double keep_;
  std::uint64_t numbers_ = 0;
  std::vector<std::deque<Idle>> idle_;  ///< per function, the longest idle first
  std::deque<Expiry> expiries_;         ///< in the order of time, since every entry waits equally long
};

}  // namespace mayfly::bench
