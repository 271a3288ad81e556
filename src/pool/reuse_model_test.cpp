#include "pool/reuse_model.h"

#include <gtest/gtest.h>

namespace mayfly::pool {
namespace {

/// What a life table says after `times` idle times of `seconds` each.
Hazard after(int times, double seconds) {
  LifeTable table;
  const auto end = IdleBins::at(seconds);
  for (int i = 0; i < times; ++i) {
    for (std::size_t bin = 1; bin <= end; ++bin) table.reached(bin);
    table.ended(end);
  }
  Hazard hazard;
  table.hazard(hazard_of_the_unknown(), hazard);
  return hazard;
}

TEST(IdleBins, CoverADayWithoutGaps) {
  for (std::size_t bin = 0; bin < IdleBins::count; ++bin) {
    EXPECT_GT(IdleBins::width(bin), 0);
    EXPECT_EQ(IdleBins::at(IdleBins::begin(bin) + IdleBins::width(bin) / 2), bin);
  }
  EXPECT_EQ(IdleBins::begin(0), 0);
  EXPECT_EQ(IdleBins::at(0), 0U);
  EXPECT_GE(IdleBins::begin(IdleBins::count), 86400);
  EXPECT_EQ(IdleBins::at(1e9), IdleBins::count - 1);
}

TEST(LifeTable, KnowsNothingAtFirst) { EXPECT_EQ(after(0, 60), hazard_of_the_unknown()); }

TEST(LifeTable, LearnsWhenIdleTimesEnd) {
  const Hazard hazard = after(20, 900);
  const auto end = IdleBins::at(900);
  EXPECT_LT(hazard[end - 5], 0.02);
  EXPECT_GT(hazard[end], 0.5);
  for (const float h : hazard) {
    EXPECT_GE(h, 0);
    EXPECT_LE(h, 1);
  }
}

TEST(LifeTable, FewIdleTimesSpeakForTheirWholeOctave) {
  const auto same_octave = IdleBins::at(660), octave_before = IdleBins::at(400);
  const Hazard hazard = after(3, 900);
  EXPECT_GT(hazard[same_octave], hazard_of_the_unknown()[same_octave]);
  EXPECT_LT(hazard[octave_before], hazard_of_the_unknown()[octave_before]);
}

TEST(LifeTable, IdleTimesThatGoOnCountAsWell) {
  LifeTable table;
  for (int i = 0; i < 50; ++i)
    for (std::size_t bin = 1; bin <= IdleBins::at(600); ++bin) table.reached(bin);
  Hazard hazard;
  table.hazard(hazard_of_the_unknown(), hazard);
  EXPECT_LT(hazard[IdleBins::at(300)], hazard_of_the_unknown()[IdleBins::at(300)] / 20);
}

TEST(LifeTable, HalfIsForgottenAfterTwoDays) {
  const MonotonicTime start{std::chrono::hours(1)};
  LifeTable faded, half;
  faded.fade(start);
  for (int i = 0; i < 10; ++i) faded.reached(3);
  faded.fade(start + std::chrono::hours(48));
  for (int i = 0; i < 5; ++i) half.reached(3);
  Hazard of_faded, of_half;
  faded.hazard(hazard_of_the_unknown(), of_faded);
  half.hazard(hazard_of_the_unknown(), of_half);
  EXPECT_NEAR(of_faded[3], of_half[3], 1e-6);
}

TEST(KeepPlan, OpensAWindowWhereATimerIsDue) {
  KeepPlan plan;
  make_plan(after(20, 1800), 1.0 / 600, 0.2, plan);
  EXPECT_TRUE(plan.keep[0]);
  EXPECT_FALSE(plan.keep[IdleBins::at(900)]);
  EXPECT_TRUE(plan.keep[IdleBins::at(1810)]);
  EXPECT_FALSE(plan.keep[IdleBins::at(4 * 3600)]);
}

TEST(KeepPlan, WithoutPrewarmingAWindowIsHeldOpenOrGivenUp) {
  KeepPlan plan;
  make_plan(after(20, 1800), 1.0 / 600, 1, plan);
  for (std::size_t bin = 1; bin < IdleBins::count; ++bin)
    EXPECT_TRUE(plan.keep[bin - 1] || !plan.keep[bin]) << "warm again at bin " << bin;
}

TEST(KeepPlan, DensityRisesTowardsTheExpectedUse) {
  KeepPlan plan;
  make_plan(after(20, 1800), 1.0 / 600, 0.2, plan);
  EXPECT_GT(plan.density[IdleBins::at(1700)], 4 * plan.density[IdleBins::at(300)]);
  EXPECT_GT(plan.density[IdleBins::at(1700)], 4 * plan.density[IdleBins::at(7200)]);
}

}  // namespace
}  // namespace mayfly::pool
