// Counters of one version: written by its shard, read by anyone.
#pragma once

#include <atomic>
#include <cstdint>

namespace mayfly::pool {

/// A counter with one writer: no locked instruction on the hot path.
class Counter {
 public:
  void add(std::uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// One owner's part of a figure that several add up to; taken back when the owner goes.
class Part {
 public:
  explicit Part(Counter& whole) : whole_(whole) {}
  ~Part() { set(0); }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;
  void set(std::uint64_t n) {
    whole_.add(n - mine_);  // modulo 2^64, so it may fall
    mine_ = n;
  }

 private:
  Counter& whole_;
  std::uint64_t mine_ = 0;
};

struct VersionStats {
  Counter admitted;   ///< invocations taken
  Counter answered;   ///< with an answer of the handler's own
  Counter failed;     ///< the handler or its instance failed
  Counter timed_out;  ///< the deadline passed, waiting or running
  Counter rejected;   ///< not taken: the queue was full, or no instance could be made
  Counter cancelled;  ///< the caller left
  Counter waited;     ///< had to wait for an instance
  Counter waiting;    ///< wait now
  Counter running;    ///< run now
  Counter instances;  ///< exist now
  Counter started;    ///< instances ever started
  Counter templates;  ///< templates ever built
  Counter wait_ns;    ///< sum of all waits
  Counter run_ns;     ///< sum of all runs, answered ones
};

}  // namespace mayfly::pool
