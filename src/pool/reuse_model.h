// When will an idle thing be needed again? A life table of idle times, learned while serving.
#pragma once

#include <array>
#include <cstddef>

#include "base/clock.h"

namespace mayfly::pool {

/// Idle time is cut into bins: doubling below a minute, minutes up to half an hour, then each a thirtieth
/// longer, up to a day. (The histogram of "Serverless in the Wild" has minutes up to four hours.)
class IdleBins {
 public:
  static constexpr std::size_t count = 155;
  /// The bin that holds an idle time; the last one holds everything longer.
  [[nodiscard]] static std::size_t at(double seconds);
  /// First second of a bin. begin(count) is the end of the last one.
  [[nodiscard]] static double begin(std::size_t bin);
  [[nodiscard]] static double width(std::size_t bin) { return begin(bin + 1) - begin(bin); }
};

/// Hazard per bin: the probability that an idle time that reached the bin ends in it.
using Hazard = std::array<float, IdleBins::count>;

/// What to expect of something never seen: idle times spread evenly over the logarithm of 1 s … 1 week.
[[nodiscard]] const Hazard& hazard_of_the_unknown();

/// Counts how many idle times reached each bin and how many ended there, so an idle time that is still
/// running counts too (the Kaplan-Meier estimator). Old observations fade with a half-life of two days.
/// Not thread-safe; 1.2 KB.
class LifeTable {
 public:
  /// An idle time reached the start of `bin`.
  void reached(std::size_t bin) { at_risk_[bin] += 1; }
  /// An idle time that had `reached` this bin ended in it. Spread over the neighbours: a timer never
  /// fires at exactly the same second again.
  void ended(std::size_t bin);
  /// Fade by the time since the last call. Cheap when called often.
  void fade(MonotonicTime now);
  /// The hazard seen here, leaning on `prior`: first its level in each octave is corrected (a few idle times
  /// say much about "minutes or hours"), then its shape bin by bin (which minute: that takes more of them).
  void hazard(const Hazard& prior, Hazard& out) const;

 private:
  /// Spreading what ended over neighbours may leave a bin with more ends than arrivals.
  [[nodiscard]] double reached_or_ended(std::size_t bin) const {
    return at_risk_[bin] > ended_[bin] ? at_risk_[bin] : ended_[bin];
  }

  std::array<float, IdleBins::count> at_risk_{};
  std::array<float, IdleBins::count> ended_{};
  MonotonicTime faded_{};
};

/// What to do with one idle thing at each age, and how much it is worth to keep.
struct KeepPlan {
  std::array<bool, IdleBins::count> keep{};
  /// Expected starts avoided per second kept, best horizon (the hit density of LHD; a Gittins index).
  std::array<float, IdleBins::count> density{};
};

/// `rent`: what keeping it for one second costs, in units of one start avoided. `prewarm_cost`: what a start
/// ahead of demand costs, in the same unit (≥ 1 never pays). The thing is warm at age 0.
void make_plan(const Hazard& hazard, double rent, double prewarm_cost, KeepPlan& out);

}  // namespace mayfly::pool
