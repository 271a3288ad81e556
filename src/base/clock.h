// Time, reached through an interface so that tests and simulations never sleep.
#pragma once

#include <chrono>
#include <cstdint>

namespace mayfly {

using MonotonicTime = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::system_clock::time_point;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

/// CLOCK_MONOTONIC and CLOCK_REALTIME. Implementations are safe to call from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual MonotonicTime now() const = 0;
  [[nodiscard]] virtual WallTime wall() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] MonotonicTime now() const override { return std::chrono::steady_clock::now(); }
  [[nodiscard]] WallTime wall() const override { return std::chrono::system_clock::now(); }
};

/// A clock that stands still until it is moved. Not thread-safe.
class ManualClock final : public Clock {
 public:
  [[nodiscard]] MonotonicTime now() const override { return now_; }
  [[nodiscard]] WallTime wall() const override {
    return WallTime{} + std::chrono::duration_cast<WallTime::duration>(now_.time_since_epoch());
  }
  void advance(nanoseconds by) { now_ += std::chrono::duration_cast<MonotonicTime::duration>(by); }

 private:
  MonotonicTime now_{};
};

/// Milliseconds since 1970, UTC: the form in which times are kept in the database.
[[nodiscard]] inline std::int64_t to_millis(WallTime time) {
  return std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
}

/// Nanoseconds of CLOCK_MONOTONIC: the form in which a deadline crosses the wire (one machine, one clock).
[[nodiscard]] inline std::uint64_t to_wire(MonotonicTime time) {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<nanoseconds>(time.time_since_epoch()).count());
}

}  // namespace mayfly
