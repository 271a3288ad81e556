// Whether ages can be told by the wall clock just now.
#pragma once

#include "base/clock.h"

namespace mayfly {

/// When the wall clock is put forward by a mistake, everything looks old; what is removed for that does not
/// come back when the clock is right again. So for a time after a jump nothing is too old. (A machine that
/// slept looks the same, and what waited is attempted then.) Used by one thread.
class ClockJumps {
 public:
  static constexpr std::chrono::hours kJump{1};   ///< further than this against the monotonic clock
  static constexpr std::chrono::hours kDoubt{1};  ///< for so long afterwards

  /// To be asked again and again: it compares with the last time.
  [[nodiscard]] bool is_doubtful(const Clock& clock) {
    const auto now = clock.now();
    const auto ahead = clock.wall() - WallTime{} - (now - MonotonicTime{});
    if (asked_ && ahead - ahead_ > kJump) until_ = now + kDoubt;
    asked_ = true;
    ahead_ = ahead;
    return now < until_;
  }
  [[nodiscard]] MonotonicTime until() const { return until_; }

 private:
  bool asked_ = false;
  nanoseconds ahead_{0};
  MonotonicTime until_{};
};

}  // namespace mayfly
