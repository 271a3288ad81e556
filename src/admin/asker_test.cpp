#include "admin/asker.h"

#include <gtest/gtest.h>

#include "admin/errors.h"

namespace mayfly::admin {
namespace {

const Place kPlace{.address = "10.0.0.5", .port = 8081, .names = {"admin.example", "tunnel:9000"}};

TEST(Asker, IsKnownByTheNameThatWasAskedFor) {
  for (const char* host :
       {"localhost:8081", "LocalHost:8081", "127.0.0.1:8081", "[::1]:8081", "10.0.0.5:8081", "admin.example",
        "admin.example:443", "ADMIN.example:8081", "tunnel:9000"})
    EXPECT_TRUE(check_asker({.host = host}, kPlace)) << host;
  for (const char* host : {"evil.example:8081", "evil.example", "localhost", "localhost:80", "localhost:8080",
                           "127.0.0.1", "127.0.0.2:8081", "10.0.0.6:8081", "tunnel:9001", "tunnel", "",
                           "localhost:8081.evil.example", "evil.example:localhost:8081", "x.admin.example",
                           "admin.example.evil", "127.0.0.1.evil.example:8081", "[::1", "::1:8081"}) {
    const auto refused = check_asker({.host = host}, kPlace);
    ASSERT_FALSE(refused) << host;
    EXPECT_EQ(refused.error().code, AdminErrc::unknown_host) << host;
  }
  EXPECT_TRUE(check_asker({}, kPlace)) << "HTTP/1.0 needs no host, and no browser speaks it";
  EXPECT_TRUE(check_asker({.host = "[fd00::1]:81"}, {.address = "fd00::1", .port = 81}));
  EXPECT_TRUE(check_asker({.host = "localhost"}, {.address = "127.0.0.1", .port = 80}));
}

TEST(Asker, IsNoPageOfAnotherOrigin) {
  for (const char* origin : {"http://localhost:8081", "https://localhost:8081", "HTTP://LOCALHOST:8081"})
    EXPECT_TRUE(check_asker({.host = "localhost:8081", .origin = origin}, kPlace)) << origin;
  for (const char* origin : {"http://localhost:3000", "http://127.0.0.1:8081", "null", "",
                             "http://evil.example", "file://", "http://localhost:8081.evil.example"}) {
    const auto refused = check_asker({.host = "localhost:8081", .origin = origin}, kPlace);
    ASSERT_FALSE(refused) << origin;
    EXPECT_EQ(refused.error().code, AdminErrc::cross_origin) << origin;
  }
  EXPECT_FALSE(check_asker({.origin = "http://"}, kPlace)) << "no host, no own origin";
  for (const char* site : {"same-origin", "none"})
    EXPECT_TRUE(check_asker({.host = "localhost:8081", .fetch_site = site}, kPlace)) << site;
  for (const char* site : {"cross-site", "same-site", ""})
    EXPECT_FALSE(check_asker({.host = "localhost:8081", .fetch_site = site}, kPlace)) << site;
}

}  // namespace
}  // namespace mayfly::admin
