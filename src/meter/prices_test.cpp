#include "meter/prices.h"

#include <gtest/gtest.h>

namespace mayfly::meter {
namespace {

TEST(Prices, InteractiveIsPaidByRequestAndTimeBackgroundByWhatItUsed) {
  Usage usage;
  usage.invocations = 10;
  usage.rejected = 2;
  usage.reserved_kib_ms = 3ULL * 1024 * 1024 * 1000;  // 3 GiB seconds
  usage.memory_kib_ms = 1024ULL * 1024 * 1000;
  usage.cpu_ns = 2'000'000'000;
  usage.init_cpu_ns = 1'000'000'000;
  const Prices prices{"EUR", 0.5, 10, 100, 1000, 10'000, 0};
  const auto interactive = cost_of(usage, InvocationClass::interactive, prices);
  EXPECT_DOUBLE_EQ(interactive.requests, 4);
  EXPECT_DOUBLE_EQ(interactive.memory, 30);
  EXPECT_DOUBLE_EQ(interactive.cpu, 200);
  const auto background = cost_of(usage, InvocationClass::background, prices);
  EXPECT_DOUBLE_EQ(background.requests, 0);
  EXPECT_DOUBLE_EQ(background.memory, 10'000);
  EXPECT_DOUBLE_EQ(background.cpu, 3'000);
  EXPECT_DOUBLE_EQ(background.total(), 13'000);
}

}  // namespace
}  // namespace mayfly::meter
