#include "pool/reuse_model.h"

#include <algorithm>
#include <cmath>

namespace mayfly::pool {
namespace {

constexpr double kWeek = 7 * 86400.0;
constexpr auto kHalfLife = std::chrono::hours(48);
constexpr auto kFadeStep = std::chrono::hours(1);
/// How much the prior weighs: as so many idle times that ended in an octave, or that reached a bin.
constexpr double kOctaveTrust = 1;
constexpr double kBinTrust = 4;
constexpr double kSurest = 0.999;  ///< no hazard is certainty: a later bin can always be reached

std::array<double, IdleBins::count + 1> make_edges() {
  std::array<double, IdleBins::count + 1> edges{};
  std::size_t i = 0;
  for (const double second : {0.0, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0}) edges[i++] = second;
  for (int minute = 1; minute <= 30; ++minute) edges[i++] = 60.0 * minute;
  for (; i <= IdleBins::count; ++i) edges[i] = edges[i - 1] * (31.0 / 30.0);
  return edges;
}

const auto kEdges = make_edges();

/// Bins whose beginnings lie between the same two powers of two seconds.
int octave_of(std::size_t bin) { return bin == 0 ? -1 : std::ilogb(kEdges[bin]); }

}  // namespace

std::size_t IdleBins::at(double seconds) {
  const auto after = std::upper_bound(kEdges.begin(), kEdges.end(), seconds);
  const auto index = static_cast<std::size_t>(after - kEdges.begin());
  return std::clamp<std::size_t>(index, 1, count) - 1;
}

double IdleBins::begin(std::size_t bin) { return kEdges[bin]; }

const Hazard& hazard_of_the_unknown() {
  static const Hazard hazard = [] {
    Hazard h{};
    h[0] = 0.5F;  // ages below one second are never acted upon
    for (std::size_t i = 1; i < IdleBins::count; ++i)
      h[i] = static_cast<float>(std::log(kEdges[i + 1] / kEdges[i]) / std::log(kWeek / kEdges[i]));
    return h;
  }();
  return hazard;
}

void LifeTable::ended(std::size_t bin) {
  const bool left = bin > 0, right = bin + 1 < IdleBins::count;
  ended_[bin] += 0.5F + (left ? 0 : 0.25F) + (right ? 0 : 0.25F);
  if (left) {  // a quarter ended one bin earlier, so it never reached this one
    ended_[bin - 1] += 0.25F;
    at_risk_[bin] -= 0.25F;
  }
  if (right) {  // a quarter reaches the next bin and ends there
    ended_[bin + 1] += 0.25F;
    at_risk_[bin + 1] += 0.25F;
  }
}

void LifeTable::fade(MonotonicTime now) {
  if (faded_ == MonotonicTime{}) faded_ = now;
  const auto passed = now - faded_;
  if (passed < kFadeStep) return;
  faded_ = now;
  const auto left = static_cast<float>(std::exp2(-std::chrono::duration<double>(passed) / kHalfLife));
  for (auto& n : at_risk_) n *= left;
  for (auto& n : ended_) n *= left;
}

void LifeTable::hazard(const Hazard& prior, Hazard& out) const {
  for (std::size_t begin = 0; begin < IdleBins::count;) {
    double ended = kOctaveTrust, expected = kOctaveTrust;
    std::size_t end = begin;
    for (; end < IdleBins::count && octave_of(end) == octave_of(begin); ++end) {
      ended += ended_[end];
      expected += reached_or_ended(end) * prior[end];
    }
    for (; begin < end; ++begin) {
      const double leaning = std::min(prior[begin] * ended / expected, kSurest);
      const double hazard = (ended_[begin] + kBinTrust * leaning) / (reached_or_ended(begin) + kBinTrust);
      out[begin] = static_cast<float>(std::clamp(hazard, 0.0, kSurest));
    }
  }
}

namespace {

/// Expected seconds spent in a bin by an idle time that reached it.
double expected_stay(const Hazard& hazard, std::size_t bin) {
  return IdleBins::width(bin) * (1 - hazard[bin] / 2);
}

/// The two-state decision process over the bins, solved backwards: being warm in a bin earns the chance
/// of a use and pays the rent; becoming warm again pays prewarm_cost.
void choose_windows(const Hazard& hazard, double rent, double prewarm_cost, KeepPlan& plan) {
  std::array<bool, IdleBins::count> stay_warm{}, become_warm{};
  double warm = 0, cold = 0;  // value from the next bin on
  for (std::size_t i = IdleBins::count; i-- > 0;) {
    const double h = hazard[i];
    const double in_warm = h - rent * expected_stay(hazard, i) + (1 - h) * std::max(warm, cold);
    const double in_cold = (1 - h) * std::max(cold, warm - prewarm_cost);
    stay_warm[i] = in_warm > in_cold;
    become_warm[i] = in_warm - prewarm_cost > in_cold;
    warm = in_warm;
    cold = in_cold;
  }
  bool is_warm = true;
  for (std::size_t i = 0; i < IdleBins::count; ++i) {
    is_warm = is_warm ? stay_warm[i] : become_warm[i];
    plan.keep[i] = is_warm;
  }
  plan.keep[0] = true;
}

/// A run of bins taken together: chance of a use, expected seconds, chance to come out unused.
struct Stretch {
  double uses, seconds, survives;
  [[nodiscard]] double density() const { return uses / seconds; }
};

void rate_density(const Hazard& hazard, KeepPlan& plan) {
  std::array<Stretch, IdleBins::count> later;
  std::size_t size = 0;
  for (std::size_t i = IdleBins::count; i-- > 0;) {
    Stretch here{hazard[i], expected_stay(hazard, i), 1.0 - hazard[i]};
    while (size > 0 && later[size - 1].density() > here.density()) {  // waiting on is worth more
      const Stretch& next = later[--size];
      here = {here.uses + here.survives * next.uses, here.seconds + here.survives * next.seconds,
              here.survives * next.survives};
    }
    plan.density[i] = static_cast<float>(here.density());
    later[size++] = here;
  }
}

}  // namespace

void make_plan(const Hazard& hazard, double rent, double prewarm_cost, KeepPlan& out) {
  choose_windows(hazard, rent, prewarm_cost, out);
  rate_density(hazard, out);
}

}  // namespace mayfly::pool
