#include "base/rate.h"

#include <gtest/gtest.h>

namespace mayfly {
namespace {

using namespace std::chrono_literals;

TEST(Rate, IsReadAndWritten) {
  EXPECT_EQ(parse_rate("100/s"), (Rate{100, 1s, 100}));
  EXPECT_EQ(parse_rate("5/m"), (Rate{5, 60s, 5}));
  EXPECT_EQ(parse_rate("1000000/h burst 1"), (Rate{1'000'000, 3600s, 1}));
  for (const auto* text : {"100/s", "5/m", "10/s burst 50", "1000000/h burst 1"})
    EXPECT_EQ(format_rate(parse_rate(text).value()), text);
  EXPECT_EQ(format_rate(parse_rate("10/s burst 10").value()), "10/s");
  for (const auto* text :
       {"", "/", "/s", "10", "10/", "10/d", "0/s", "-1/s", "1000001/s", "1.5/s", "10/s ", "10/s burst",
        "10/s burst ", "10/s burst 0", "10/s burst 1000001", "10 /s", "10/sburst 5"})
    EXPECT_FALSE(parse_rate(text)) << text;
}

TEST(RateBucket, AllowsItsBurstAndThenOneInEachInterval) {
  const Rate rate{10, 1s, 3};
  RateBucket bucket;
  auto now = RateBucket::Time{} + 1h;
  for (unsigned left : {2U, 1U, 0U}) {
    const auto taken = bucket.take(rate, now);
    EXPECT_TRUE(taken.allowed);
    EXPECT_EQ(taken.left, left);
    EXPECT_EQ(taken.restored, 100ms * (3 - left));
  }
  const auto refused = bucket.take(rate, now);
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.wait, 100ms);
  EXPECT_EQ(refused.restored, 300ms);
  EXPECT_FALSE(bucket.take(rate, now + 99ms).allowed);
  EXPECT_TRUE(bucket.take(rate, now + 100ms).allowed) << "what was refused took nothing";
  EXPECT_FALSE(bucket.take(rate, now + 100ms).allowed);
  EXPECT_FALSE(bucket.idle(now + 399ms));
  EXPECT_TRUE(bucket.idle(now + 400ms));
  EXPECT_EQ(bucket.take(rate, now + 10h).left, 2U) << "a pause gives the burst back, not more";
}

TEST(RateBucket, AllowsOverALongTimeWhatTheRateSays) {
  const Rate rate{7, 60s, 7};
  RateBucket bucket;
  const auto begin = RateBucket::Time{} + 1h;
  int allowed = 0;
  for (auto at = 0ms; at < 10min; at += 100ms) allowed += bucket.take(rate, begin + at).allowed ? 1 : 0;
  EXPECT_GE(allowed, 70 + 6);
  EXPECT_LE(allowed, 70 + 7);
}

TEST(RateBucket, ASmallerRateTakesEffectAtOnce) {
  RateBucket bucket;
  const auto now = RateBucket::Time{} + 1h;
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(bucket.take({100, 3600s, 100}, now).allowed);
  EXPECT_FALSE(bucket.take({10, 1s, 1}, now).allowed);
  EXPECT_TRUE(bucket.take({10, 1s, 1}, now + 100ms).allowed) << "not in an hour";
}

}  // namespace
}  // namespace mayfly
