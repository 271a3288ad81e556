#include "outbound/url.h"

#include <gtest/gtest.h>

namespace mayfly::outbound {
namespace {

TEST(Url, IsTakenApart) {
  const auto url = parse_url("HTTPS://Hooks.Example.com:8443/a/../b?x=1&y=2#end");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->scheme, "https");
  EXPECT_EQ(url->host, "hooks.example.com");
  EXPECT_EQ(url->authority, "hooks.example.com:8443");
  EXPECT_EQ(url->path, "/a/../b");
  EXPECT_EQ(url->query, "x=1&y=2");
}

TEST(Url, ThePortOfItsSchemeIsNotNamed) {
  EXPECT_EQ(parse_url("http://a.example:80/")->authority, "a.example");
  EXPECT_EQ(parse_url("http://a.example")->path, "/");
}

TEST(Url, WhatCannotBeAskedIsRefused) {
  const std::string blank = "http://a.example/a b";
  for (const auto& text :
       {std::string("ftp://a.example/"), std::string("file:///etc/passwd"),
        std::string("gopher://a.example/"), std::string("a.example/path"), std::string("http://"),
        std::string("https:///path"), std::string(""), std::string("http://user@a.example/"),
        std::string("http://user:word@a.example/"), blank, std::string("http://a.example/\r\nx: y"),
        "http://a.example/" + std::string(kMaxUrl, 'a')}) {
    const auto url = parse_url(text);
    ASSERT_FALSE(url) << text;
    EXPECT_EQ(url.error().code, OutboundErrc::bad_url) << text;
  }
}

Result<void> check(const std::string& text, const AddressRules& rules = {}) {
  const auto url = parse_url(text);
  if (!url) return std::unexpected(url.error());
  return check_host(*url, rules);
}

TEST(Url, AnAddressThatIsNotPublicIsRefusedAtOnceHoweverItIsWritten) {
  for (const auto* text : {"http://127.0.0.1/", "http://127.1/", "http://2130706433/", "http://0x7f.0.0.1/",
                           "http://017700000001/", "http://[::1]/", "http://[::ffff:10.0.0.1]/",
                           "http://169.254.169.254/latest", "http://localhost/", "http://LOCALHOST:80/",
                           "http://a.localhost/", "http://localhost./", "http://0/"}) {
    const auto checked = check(text);
    ASSERT_FALSE(checked) << text;
    EXPECT_EQ(checked.error().code, OutboundErrc::address_not_allowed) << text;
  }
}

TEST(Url, NamesAndWhatTheRulesOpenPass) {
  EXPECT_TRUE(check("https://hooks.example.com/"));
  EXPECT_TRUE(check("http://1.1.1.1/"));
  EXPECT_TRUE(check("http://127.0.0.1:9000/", *AddressRules::parse({"127.0.0.0/8"})));
}

}  // namespace
}  // namespace mayfly::outbound
