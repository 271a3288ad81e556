// How often something may happen, as people write it: "100/s", "1000/h", "10/s burst 50".
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mayfly {

struct Rate {
  std::uint32_t count = 1;         ///< so many in each period, 1…1000000
  std::chrono::seconds period{1};  ///< a second, a minute or an hour
  std::uint32_t burst = 1;         ///< so many at once after a pause, 1…1000000
  bool operator==(const Rate&) const = default;
};

/// Allows less in the long run.
[[nodiscard]] constexpr bool is_slower(const Rate& one, const Rate& other) {
  return one.count * other.period.count() < other.count * one.period.count();
}

/// "N/s", "N/m" or "N/h", with " burst N" behind it or not; without, the burst is what a period allows.
[[nodiscard]] std::optional<Rate> parse_rate(std::string_view text);
/// The shortest form that parse_rate() reads.
[[nodiscard]] std::string format_rate(const Rate& rate);

/// Counts one thing against a rate. One number is all that it keeps, and one that was not used for as long as
/// its burst takes to come back is the same as a new one.
///
/// This is the Generic Cell Rate Algorithm (ITU-T I.371, annex A; ATM Forum TM 4.1, "virtual scheduling"): a
/// token bucket that is never refilled, because it keeps the time at which it will be full.
class RateBucket {
 public:
  using Time = std::chrono::steady_clock::time_point;
  struct Verdict {
    bool allowed = false;
    std::uint32_t left = 0;                ///< so many more would be allowed now
    std::chrono::milliseconds wait{};      ///< until one more is allowed; 0 if it is now
    std::chrono::milliseconds restored{};  ///< until the whole burst is there again
  };
  /// Takes one if there is one.
  Verdict take(const Rate& rate, Time now);
  /// Full again: nothing is lost when it is forgotten.
  [[nodiscard]] bool idle(Time now) const { return full_at_ <= now; }

 private:
  Time full_at_{};
};

}  // namespace mayfly
