#include "router/route_fields.h"

#include <gtest/gtest.h>

#include "base/fields.h"

namespace mayfly::router {
namespace {

/// "key" or "key | parameters" that a function is told, behind a field that was there before.
std::string told(std::string_view pattern, std::string_view target) {
  const auto route = parse_route(pattern);
  if (!route) return route.error().message;
  std::string fields;
  append_field(fields, "host", "h");
  append_route_fields(*route, target, fields);
  std::string text;
  for_each_field(fields, [&](std::string_view name, std::string_view value) {
    if (name == "mayfly-route") text = value;
    if (name == "mayfly-path-parameters") text.append(" | ").append(value);
  });
  return text;
}

TEST(RouteFields, TheKeyIsAsApiGatewayWritesIt) {
  EXPECT_EQ(told("GET /", "/"), "GET /");
  EXPECT_EQ(told("api.example.com/v1/items", "/v1/items?x"), "ANY /v1/items");
  EXPECT_EQ(told("/a/*/c", "/a/b/c"), "ANY /a/*/c");
}

TEST(RouteFields, PlaceholdersHaveTheirValues) {
  EXPECT_EQ(told("GET /users/:id", "/users/7"), "GET /users/{id} | id=7");
  EXPECT_EQ(told("GET /users/:id", "/users/7/?id=8#9"), "GET /users/{id} | id=7");
  EXPECT_EQ(told("POST /u/:user-id/*/:file.name", "/u/7/x/a"),
            "POST /u/{user-id}/*/{file.name} | user-id=7&file.name=a");
}

TEST(RouteFields, ATailIsTheProxy) {
  EXPECT_EQ(told("/files/:owner/*", "/files/me/a/b/?q"), "ANY /files/{owner}/{proxy+} | owner=me&proxy=a/b/");
  EXPECT_EQ(told("/*", "/"), "ANY /{proxy+} | proxy=");
  EXPECT_EQ(told("/files/*", "/files"), "ANY /files/{proxy+} | proxy=");
}

TEST(RouteFields, ValuesStayAsTheyCameAndCanBeSplit) {
  EXPECT_EQ(told("/:a/:b", "/x%20%2F/a&b=c+d%zz"), "ANY /{a}/{b} | a=x%20%2F&b=a%26b%3Dc%2Bd%zz");
  EXPECT_EQ(told("/:a", "/gr\xc3\xbcn"), "ANY /{a} | a=gr%C3%BCn");
}

}  // namespace
}  // namespace mayfly::router
