#include "outbound/address_rules.h"

#include <gtest/gtest.h>

namespace mayfly::outbound {
namespace {

using boost::asio::ip::make_address;

TEST(AddressRules, WhatIsNobodysOnTheInternetIsNotPublic) {
  for (const auto* text : {"0.0.0.0",
                           "0.1.2.3",
                           "10.0.0.1",
                           "100.64.0.1",
                           "100.127.255.255",
                           "127.0.0.1",
                           "127.8.8.8",
                           "169.254.169.254",
                           "172.16.0.1",
                           "172.31.255.255",
                           "192.0.0.8",
                           "192.0.2.1",
                           "192.168.1.1",
                           "198.18.0.1",
                           "198.19.255.255",
                           "198.51.100.7",
                           "203.0.113.9",
                           "224.0.0.1",
                           "240.0.0.1",
                           "255.255.255.255",
                           "::",
                           "::1",
                           "fe80::1",
                           "fc00::1",
                           "fd12:3456::1",
                           "ff02::1",
                           "2001:db8::1",
                           "2001::1",
                           "3fff::1",
                           "4000::1",
                           "100::1",
                           "::ffff:127.0.0.1",
                           "::ffff:10.1.2.3",
                           "64:ff9b::a9fe:a9fe",
                           "2002:7f00:1::",
                           "2002:a01:203::1",
                           "::127.0.0.1",
                           "64:ff9b:1::1"})
    EXPECT_FALSE(is_public(make_address(text))) << text;
}

TEST(AddressRules, OthersArePublic) {
  for (const auto* text :
       {"1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
        "128.0.0.1", "172.15.0.1", "172.32.0.1", "192.167.1.1", "198.17.0.1", "198.20.0.1", "223.255.255.255",
        "2606:4700::1111", "2a00::1", "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::1", "2001:200::1"})
    EXPECT_TRUE(is_public(make_address(text))) << text;
}

TEST(AddressRules, RangesAreOpenedOneByOne) {
  const auto rules = AddressRules::parse({"10.1.0.0/16", "127.0.0.1", "fd00:1::/32"});
  ASSERT_TRUE(rules);
  for (const auto* text : {"10.1.2.3", "127.0.0.1", "fd00:1::9", "8.8.8.8", "::ffff:10.1.0.9"})
    EXPECT_TRUE(rules->allows(make_address(text))) << text;
  for (const auto* text : {"10.2.0.1", "127.0.0.2", "fd00:2::9", "169.254.169.254", "::1"})
    EXPECT_FALSE(rules->allows(make_address(text))) << text;
}

TEST(AddressRules, WhatIsNoRangeIsNamed) {
  for (const auto* text : {"localhost", "10.0.0.0/33", "fd00::/129", "", "10.0.0.0/"}) {
    const auto rules = AddressRules::parse({text});
    ASSERT_FALSE(rules) << text;
    EXPECT_NE(rules.error().message.find("'" + std::string(text) + "'"), std::string::npos);
  }
}

}  // namespace
}  // namespace mayfly::outbound
