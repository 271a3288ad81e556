#include "network/allow_rule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mayfly::network {
namespace {

std::string why(std::string_view text) {
  const auto rule = parse_allow_rule(text);
  return rule ? "accepted" : rule.error().message;
}

TEST(AllowRule, ReadsWhatItWrites) {
  for (const char* text : {"10.1.2.0/24", "10.1.2.3", "192.168.0.5:5432", "10.0.0.0/8:53",
                           "169.254.169.254:80", "203.0.113.1:8081", "172.16.0.0/12", "100.64.0.0/10"}) {
    const auto rule = parse_allow_rule(text);
    ASSERT_TRUE(rule) << rule.error().message;
    EXPECT_EQ(rule->text(), text);
  }
}

TEST(AllowRule, OneAddressWithAPortIsAService) {
  EXPECT_TRUE(parse_allow_rule("10.1.2.3:80")->is_service());
  EXPECT_FALSE(parse_allow_rule("10.1.2.3")->is_service());
  EXPECT_FALSE(parse_allow_rule("10.1.2.0/24:80")->is_service());
}

TEST(AllowRule, LoopbackIsNeverOpened) {
  for (const char* text :
       {"127.0.0.1", "127.0.0.1:8081", "127.0.0.53:53", "127.0.0.0/8", "126.0.0.0/7", "64.0.0.0/2"})
    EXPECT_THAT(why(text), testing::HasSubstr("loopback")) << text;
  for (const char* text : {"0.0.0.0", "0.0.0.0:8081", "0.0.0.0/1"})
    EXPECT_THAT(why(text), testing::HasSubstr("0.0.0.0/8")) << text;
}

TEST(AllowRule, SaysWhatIsWrong) {
  EXPECT_THAT(why("db.internal:5432"), testing::HasSubstr("names are not looked up"));
  EXPECT_THAT(why("fd00::1"), testing::HasSubstr("IPv6"));
  EXPECT_THAT(why("::1"), testing::HasSubstr("IPv6"));
  EXPECT_THAT(why("10.1.2.3/24"), testing::HasSubstr("begins at 10.1.2.0"));
  EXPECT_THAT(why("10.0.0.0/0"), testing::HasSubstr("prefix"));
  EXPECT_THAT(why("10.0.0.0/33"), testing::HasSubstr("prefix"));
  EXPECT_THAT(why("10.0.0.1:0"), testing::HasSubstr("port"));
  EXPECT_THAT(why("10.0.0.1:65536"), testing::HasSubstr("port"));
  EXPECT_THAT(why("10.0.0.1:"), testing::HasSubstr("port"));
  EXPECT_THAT(why("10.0.0.1:080"), testing::HasSubstr("port"));
  EXPECT_THAT(why("198.18.0.7"), testing::HasSubstr("router"));
  EXPECT_THAT(why("224.0.0.1"), testing::HasSubstr("multicast"));
  EXPECT_THAT(why("255.255.255.255"), testing::HasSubstr("multicast"));
  for (const char* text :
       {"", " 10.0.0.1", "10.0.0.1 ", "10.0.0", "10.0.0.01", "10.0.0.1;accept", "010.0.0.1"})
    EXPECT_THAT(why(text), testing::HasSubstr("no IPv4 address")) << text;
}

}  // namespace
}  // namespace mayfly::network
