// A clock for tests: it stands still until it is moved, and its wall clock can be put forward and back.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "base/clock.h"

namespace mayfly {

/// Stands still until it is moved; for several threads.
class StandingClock final : public Clock {
 public:
  [[nodiscard]] MonotonicTime now() const override { return MonotonicTime{} + nanoseconds(passed_.load()); }
  [[nodiscard]] WallTime wall() const override {
    return WallTime{} + kBegin + nanoseconds(passed_.load() + jumped_.load());
  }
  void advance(nanoseconds by) { passed_ += by.count(); }
  void jump(nanoseconds by) { jumped_ += by.count(); }  ///< the wall clock alone

 private:
  static constexpr std::chrono::hours kBegin{24 * 365 * 50};
  std::atomic<std::int64_t> passed_{1'000'000'000};
  std::atomic<std::int64_t> jumped_{0};
};

}  // namespace mayfly
