#include "base/date_time.h"

#include <gtest/gtest.h>

namespace mayfly {
namespace {

using namespace std::chrono_literals;

TEST(DateTime, IsReadAsRfc3339HasIt) {
  const auto noon = parse_date_time("2024-05-01T12:00:00.25+02:00");
  ASSERT_TRUE(noon);
  EXPECT_EQ(noon->local, std::chrono::local_days(2024y / 5 / 1) + 12h);
  EXPECT_EQ(noon->fraction, 250ms);
  EXPECT_EQ(noon->offset, 120min);
  EXPECT_EQ(noon->time(), std::chrono::sys_days(2024y / 5 / 1) + 10h);
  EXPECT_EQ(parse_date_time("2024-02-29t23:59:59z")->time(), std::chrono::sys_days(2024y / 2 / 29) + 86'399s);
  EXPECT_EQ(parse_date_time("1969-12-31T16:00:00-08:00")->time(), std::chrono::sys_seconds(0s));
  EXPECT_EQ(parse_date_time("2016-12-31T23:59:60Z")->time(), std::chrono::sys_days(2017y / 1 / 1));
  EXPECT_EQ(parse_date_time("2024-05-01T12:00:00.123456789123Z")->fraction, 123'456'789ns);
}

TEST(DateTime, WithoutAnOffsetIsNoPointInTime) {
  const auto local = parse_date_time("2024-05-01T12:00:00");
  ASSERT_TRUE(local);
  EXPECT_FALSE(local->offset);
  EXPECT_FALSE(local->time());
}

TEST(DateTime, WhatIsNotOneIsRefused) {
  for (const char* bad : {"",
                          "2024-05-01",
                          "2024-05-01 12:00:00Z",
                          "2024-5-1T12:00:00Z",
                          "24-05-01T12:00:00Z",
                          "2024-02-30T12:00:00Z",
                          "2023-02-29T12:00:00Z",
                          "2024-00-01T12:00:00Z",
                          "2024-13-01T12:00:00Z",
                          "2024-05-00T12:00:00Z",
                          "2024-05-01T24:00:00Z",
                          "2024-05-01T12:60:00Z",
                          "2024-05-01T12:00:61Z",
                          "2024-05-01T12:00:60Z",
                          "2024-05-01T12:00Z",
                          "2024-05-01T12:00:00.Z",
                          "2024-05-01T12:00:00+2:00",
                          "2024-05-01T12:00:00+02",
                          "2024-05-01T12:00:00+24:00",
                          "2024-05-01T12:00:00+02:60",
                          "2024-05-01T12:00:00Z ",
                          " 2024-05-01T12:00:00Z",
                          "2024-05-01T12:00:00Zx",
                          "+024-05-01T12:00:00Z"})
    EXPECT_FALSE(parse_date_time(bad)) << bad;
}

}  // namespace
}  // namespace mayfly
