#include "events/policy.h"

#include <gtest/gtest.h>

namespace mayfly::events {
namespace {

using namespace std::chrono_literals;

TEST(Policy, TheDelayDoublesUpToItsMostAndHalfOfItIsCertain) {
  Policy policy;
  policy.backoff = 100ms;
  policy.backoff_max = 1s;
  std::mt19937_64 random(1);
  const std::vector<std::chrono::milliseconds> full{100ms, 200ms, 400ms, 800ms, 1s, 1s};
  for (std::size_t i = 0; i < full.size(); ++i)
    for (int again = 0; again < 100; ++again) {
      const auto delay = backoff_delay(policy, static_cast<int>(i) + 1, random);
      EXPECT_GE(delay, full[i] / 2);
      EXPECT_LE(delay, full[i]);
    }
}

TEST(Policy, TheOtherHalfIsChance) {
  Policy policy;
  policy.backoff = 1h;
  std::mt19937_64 random(1);
  EXPECT_NE(backoff_delay(policy, 1, random), backoff_delay(policy, 1, random));
}

TEST(Policy, NoNumberOfAttemptsOverflows) {
  Policy policy;
  policy.backoff = 24h;
  policy.backoff_max = std::chrono::milliseconds::max() / 4;
  std::mt19937_64 random(1);
  for (const int attempts : {1, 2, 39, 40, 41, 1'000'000}) {
    const auto delay = backoff_delay(policy, attempts, random);
    EXPECT_GE(delay, 12h);
    EXPECT_LE(delay, policy.backoff_max);
  }
}

TEST(Policy, OneThatWantsNoDelayGetsNone) {
  Policy policy;
  policy.backoff = 0ms;
  policy.backoff_max = 0ms;
  std::mt19937_64 random(1);
  EXPECT_EQ(backoff_delay(policy, 3, random), 0ms);
}

}  // namespace
}  // namespace mayfly::events
