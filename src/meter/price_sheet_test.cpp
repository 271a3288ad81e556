#include "meter/price_sheet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mayfly::meter {
namespace {

using testing::HasSubstr;

std::string error_of(const std::string& text) {
  const auto sheet = parse_price_sheet(text, "prices.toml");
  return sheet ? "no error" : sheet.error().message;
}

TEST(PriceSheet, AnEmptySheetIsTheDefaultOne) {
  const auto prices = parse_price_sheet("# nothing\n", "prices.toml");
  ASSERT_TRUE(prices);
  EXPECT_EQ(prices->prices, Prices{});
}

TEST(PriceSheet, WhatASheetDoesNotNameIsFree) {
  const auto prices = parse_price_sheet("currency = \"EUR\"\nrequest = 1\ngib_s = 0.5\n", "prices.toml");
  ASSERT_TRUE(prices);
  EXPECT_EQ(prices->prices, (Prices{"EUR", 1, 0.5, 0, 0, 0, 0}));
}

TEST(PriceSheet, WhatIsWrongIsToldWithItsLine) {
  EXPECT_THAT(error_of("request = 1\ncpu_s = -0.1\n"),
              HasSubstr("prices.toml:2: cpu_s must be a price of 0"));
  EXPECT_THAT(error_of("request = nan\n"), HasSubstr("prices.toml:1: request must be a price"));
  EXPECT_THAT(error_of("request = inf\n"), HasSubstr("request must be a price"));
  EXPECT_THAT(error_of("request = \"1\"\n"), HasSubstr("request must be a number"));
  EXPECT_THAT(error_of("request = [1]\n"), HasSubstr("request must be a number"));
  EXPECT_THAT(error_of("\nrequests = 1\n"),
              HasSubstr("prices.toml:2: there is no price 'requests' (did you mean 'request'?)"));
  EXPECT_THAT(error_of("currency = \"\"\n"), HasSubstr("currency must be a text"));
  EXPECT_THAT(error_of("request = \n"), HasSubstr("prices.toml:1: "));
}

TEST(PriceSheet, BudgetsAreOfFunctionsAndTenants) {
  const auto sheet = parse_price_sheet(R"(
[[budgets]]
tenant = "acme"
limit = 20
then = "stop"
[[budgets]]
function = "resize"
limit = 0.5
period = "day"
warn = 0.5
then = "throttle"
rate = "10/m"
)",
                                       "prices.toml");
  ASSERT_TRUE(sheet) << sheet.error().message;
  EXPECT_EQ(sheet->prices, Prices{});
  ASSERT_EQ(sheet->budgets.size(), 2U);
  const auto& [first, second] = std::tie(sheet->budgets[0], sheet->budgets[1]);
  EXPECT_EQ(first.subject(), "tenant acme");
  EXPECT_EQ(first.at_limit, AtLimit::stop);
  EXPECT_TRUE(first.monthly);
  EXPECT_DOUBLE_EQ(first.warn, 0.8);
  EXPECT_EQ(second.subject(), "function resize");
  EXPECT_DOUBLE_EQ(second.limit, 0.5);
  EXPECT_FALSE(second.monthly);
  EXPECT_EQ(second.rate.count, 10U);
}

TEST(PriceSheet, ABudgetThatIsNoneIsToldWithItsLine) {
  const auto budget = [](const std::string& keys) { return error_of("request = 1\n[[budgets]]\n" + keys); };
  EXPECT_THAT(budget("tenant = \"a\"\nlimit = -1\n"),
              HasSubstr("prices.toml:4: limit of a budget must be a sum above 0"));
  EXPECT_THAT(budget("tenant = \"a\"\nlimit = inf\n"), HasSubstr("limit of a budget must be"));
  EXPECT_THAT(budget("tenant = \"a\"\n"), HasSubstr("a budget needs a limit"));
  EXPECT_THAT(budget("limit = 1\n"), HasSubstr("of a function or of a tenant"));
  EXPECT_THAT(budget("tenant = \"a\"\nfunction = \"b\"\nlimit = 1\n"), HasSubstr("one of both"));
  EXPECT_THAT(budget("tenant = 1\nlimit = 1\n"), HasSubstr("tenant of a budget must be a name"));
  EXPECT_THAT(budget("tenant = \"a\"\nlimit = 1\nwarn = 2\n"), HasSubstr("warn of a budget must be a part"));
  EXPECT_THAT(budget("tenant = \"a\"\nlimit = 1\nperiod = \"year\"\n"), HasSubstr("\"day\" or \"month\""));
  EXPECT_THAT(budget("tenant = \"a\"\nlimit = 1\nthen = \"explode\"\n"),
              HasSubstr("then of a budget must be"));
  EXPECT_THAT(budget("tenant = \"a\"\nlimit = 1\nthen = \"throttle\"\n"), HasSubstr("has a rate if"));
  EXPECT_THAT(budget("tenant = \"a\"\nlimits = 1\n"), HasSubstr("(did you mean 'limit'?)"));
  EXPECT_THAT(error_of("budgets = 1\n"), HasSubstr("written as [[budgets]]"));
}

}  // namespace
}  // namespace mayfly::meter
