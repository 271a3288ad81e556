#include "admin/message.h"

#include <gtest/gtest.h>

namespace mayfly::admin {
namespace {

TEST(PercentDecode, DecodesAndRefusesWhatIsBroken) {
  EXPECT_EQ(percent_decode("a%20b%C3%A9+"), "a b\xC3\xA9+");
  EXPECT_EQ(percent_decode("a+b", true), "a b");
  for (const char* text : {"%", "%2", "%zz", "a%0", "%00"}) EXPECT_FALSE(percent_decode(text)) << text;
}

TEST(ParseQuery, KeepsOrderAndRepetition) {
  const auto query = parse_query("set=a%3D1&set=b=2&follow&&x=");
  ASSERT_TRUE(query);
  EXPECT_EQ(*query, (Query{{"set", "a=1"}, {"set", "b=2"}, {"follow", ""}, {"x", ""}}));
  EXPECT_FALSE(parse_query("a=%"));
}

TEST(RequestQuery, FlagsAndNumbers) {
  Request request;
  request.query = {{"follow", ""}, {"event", "1"}, {"off", "0"},
                   {"tail", "20"}, {"bad", "2x"},  {"minus", "-1"}};
  EXPECT_TRUE(request.query_flag("follow"));
  EXPECT_TRUE(request.query_flag("event"));
  EXPECT_FALSE(request.query_flag("off"));
  EXPECT_FALSE(request.query_flag("absent"));
  EXPECT_EQ(request.query_number("tail", 100, 1000), 20U);
  EXPECT_EQ(request.query_number("absent", 100, 1000), 100U);
  EXPECT_FALSE(request.query_number("tail", 100, 19));
  EXPECT_FALSE(request.query_number("bad", 0, 10));
  EXPECT_FALSE(request.query_number("minus", 0, 10));
  EXPECT_FALSE(request.query_number("follow", 0, 10));
}

}  // namespace
}  // namespace mayfly::admin
