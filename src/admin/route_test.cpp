#include "admin/route.h"

#include <gtest/gtest.h>

#include "admin/errors.h"

namespace mayfly::admin {
namespace {

Route route(std::string_view method, std::string_view pattern) {
  return {method, pattern, "id", "summary", {}, nullptr};
}

RouteTable table() {
  return RouteTable({route("GET", "/v1/functions"), route("GET", "/v1/functions/{name}"),
                     route("PUT", "/v1/functions/{name}"),
                     route("DELETE", "/v1/functions/{name}/versions/{version}"), route("GET", "/healthz")});
}

TEST(RouteTable, FindsByMethodAndPathAndGivesParameters) {
  const auto routes = table();
  const auto match = routes.match("DELETE", "/v1/functions/hello/versions/3");
  ASSERT_TRUE(match);
  EXPECT_EQ(match->route->pattern, "/v1/functions/{name}/versions/{version}");
  EXPECT_EQ(match->params.at("name"), "hello");
  EXPECT_EQ(match->params.at("version"), "3");
  EXPECT_EQ(routes.match("PUT", "/v1/functions/x")->route->method, "PUT");
}

TEST(RouteTable, DecodesParameters) {
  const auto routes = table();
  EXPECT_EQ(routes.match("GET", "/v1/functions/hello%403")->params.at("name"), "hello@3");
}

TEST(RouteTable, AParameterIsOneSegmentThatIsNotEmpty) {
  const auto routes = table();
  for (const char* path : {"/v1/functions/", "/v1/functions/a/b", "/v1/functions/%zz", "/v1/functions/a%00b",
                           "", "/", "/healthz/", "v1/functions", "*"})
    EXPECT_FALSE(routes.match("GET", path)) << path;
}

TEST(RouteTable, HeadIsServedByGet) { EXPECT_TRUE(table().match("HEAD", "/healthz")); }

TEST(RouteTable, WrongMethodNamesTheRightOnes) {
  const auto match = table().match("POST", "/v1/functions/hello");
  ASSERT_FALSE(match);
  EXPECT_EQ(match.error().code, AdminErrc::method_not_allowed);
  EXPECT_EQ(match.error().detail("allow"), "GET, HEAD, PUT");
}

TEST(RouteTable, UnknownPath) {
  EXPECT_EQ(table().match("GET", "/nope").error().code, AdminErrc::unknown_route);
}

TEST(RouteTable, PatternParams) {
  EXPECT_EQ(pattern_params("/v1/functions/{name}/aliases/{alias}"),
            (std::vector<std::string_view>{"name", "alias"}));
}

}  // namespace
}  // namespace mayfly::admin
