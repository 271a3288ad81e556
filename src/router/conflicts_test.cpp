#include "router/conflicts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mayfly::router {
namespace {

using registry::Function;
using registry::FunctionPtr;
using registry::Version;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Version version(const std::string& name, std::vector<std::string> routes) {
  Version one;
  one.function = name;
  one.number = 1;
  one.config.routes = std::move(routes);
  return one;
}

FunctionPtr function(const std::string& name, std::vector<std::string> routes = {}) {
  Function one;
  one.name = name;
  one.traffic.weights = {{1, 100}};
  one.versions[1] = std::make_shared<const Version>(version(name, std::move(routes)));
  return std::make_shared<const Function>(std::move(one));
}

std::string refusal(const std::string& route, const std::vector<FunctionPtr>& others) {
  const auto checked = check_routes(version("new", {route}), others);
  return checked ? "" : checked.error().message;
}

TEST(RouteConflicts, AnotherFunctionsAddressIsNotTaken) {
  const std::vector<FunctionPtr> others{function("users"), function("new")};
  for (const char* route : {"/users", "GET /users", "/users/*", "POST /users/:id"})
    EXPECT_THAT(refusal(route, others), HasSubstr("the function 'users'")) << route;
  for (const char* route : {"/new/*", "/users2", "/:any", "/*", "/", "api.example.com/users/*", "/v1/users"})
    EXPECT_EQ(refusal(route, others), "") << route;
}

TEST(RouteConflicts, ARouteIsOneFunctionsAlone) {
  const std::vector<FunctionPtr> others{function("shop", {"GET /items/:id", "Api.example.com/v1/*"})};
  EXPECT_THAT(refusal("GET /items/:id", others), HasSubstr("belongs to the function 'shop' already"));
  EXPECT_THAT(refusal("GET /items/:number", others), HasSubstr("as 'GET /items/:id'"));
  EXPECT_THAT(refusal("GET /items/*/", others), testing::Not(IsEmpty()));
  EXPECT_THAT(refusal("api.example.com/v1/*", others), HasSubstr("'shop'"));
  for (const char* route : {"POST /items/:id", "GET /items/7", "/items/:id", "/v1/*"})
    EXPECT_EQ(refusal(route, others), "") << route;
  EXPECT_THAT(refusal("get /x", others), HasSubstr("capital letters"));
}

TEST(RouteConflicts, WhatHidesOthersIsSaid) {
  const std::vector<FunctionPtr> others{function("a"), function("b"), function("c"), function("d"),
                                        function("new")};
  EXPECT_THAT(
      route_warnings(version("new", {"GET /*"}), others),
      ElementsAre("route 'GET /*' takes requests that /a, /b, /c and 1 more would get without it: other "
                  "functions' addresses"));
  EXPECT_THAT(route_warnings(version("new", {"/", "example.com/*", "/v1/*", "/new/*"}), others), IsEmpty());
}

TEST(RouteConflicts, WhatIsHiddenByAnotherIsSaid) {
  const std::vector<FunctionPtr> others{function("site", {"/*"}), function("api", {"/new/:id"})};
  EXPECT_THAT(
      route_warnings(version("new", {}), others),
      ElementsAre("requests for /new go to the function 'site' where its route '/*' takes them",
                  "requests for /new go to the function 'api' where its route '/new/:id' takes them"));
}

}  // namespace
}  // namespace mayfly::router
