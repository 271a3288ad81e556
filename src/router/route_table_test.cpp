#include "router/route_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

namespace mayfly::router {
namespace {

using registry::Function;
using registry::FunctionPtr;
using registry::Version;

/// A function whose version 1 has these routes.
FunctionPtr function(std::string name, std::vector<std::string> routes = {}) {
  auto version = std::make_shared<Version>();
  version->function = name;
  version->number = 1;
  version->config.routes = std::move(routes);
  auto made = std::make_shared<Function>();
  made->name = std::move(name);
  made->versions[1] = version;
  made->traffic.weights[1] = 100;
  return made;
}

/// "function target" of what answers, or the error's slug.
std::string where(const RouteTable& table, std::string_view method, std::string_view host,
                  std::string_view target) {
  const auto match = table.match(method, host, target);
  if (!match) return match.error().code.message();
  return match->function->name + " " + std::string(match->target);
}

TEST(ParseRoute, TakesMethodHostAndPathApart) {
  const auto whole = parse_route("POST Api.Example.com/v1/:id/*");
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->method, "POST");
  EXPECT_EQ(whole->host, "api.example.com");
  EXPECT_EQ(whole->segments, (std::vector<std::string>{"v1", ":id"}));
  EXPECT_TRUE(whole->tail);

  const auto root = parse_route("/");
  ASSERT_TRUE(root);
  EXPECT_TRUE(root->method.empty() && root->host.empty() && root->segments.empty());
  EXPECT_FALSE(root->tail);
  const auto slash = parse_route("/a/");
  ASSERT_TRUE(slash);
  EXPECT_EQ(slash->segments, std::vector<std::string>{"a"});
}

TEST(ParseRoute, RefusesWhatNoRequestCouldMatch) {
  for (const char* wrong :
       {"", "GET", "hello", "get /a", " /a", "GET  /a", "/a b", "/a?x=1", "/a#b", "/a//b"}) {
    const auto route = parse_route(wrong);
    ASSERT_FALSE(route) << wrong;
    EXPECT_EQ(route.error().code, RouterErrc::bad_route) << wrong;
    EXPECT_NE(route.error().message.find("'" + std::string(wrong) + "'"), std::string::npos) << wrong;
  }
}

TEST(ParseRoute, RefusesPlaceholdersWithoutANameOfTheirOwn) {
  for (const std::string wrong :
       {"/a/:", "/:a/:a", "/:a b", "/:a=b", "/:a&b", "/:proxy/*", "/a\n/b", "/:a\r"}) {
    const auto route = parse_route(wrong);
    ASSERT_FALSE(route) << wrong;
    EXPECT_EQ(route.error().code, RouterErrc::bad_route) << wrong;
  }
  EXPECT_TRUE(parse_route("/:a/:b.c/:d-e_F9/*"));
  EXPECT_TRUE(parse_route("/:proxy/x"));
}

TEST(RouteTable, GivesEveryFunctionItsName) {
  const RouteTable table({function("hello"), function("hell")});
  EXPECT_EQ(where(table, "GET", "x", "/hello"), "hello ");
  EXPECT_EQ(where(table, "PATCH", "", "/hello/a/b?c=d"), "hello /a/b?c=d");
  EXPECT_EQ(where(table, "GET", "x", "/hello?c=/d"), "hello ?c=/d");
  EXPECT_EQ(where(table, "GET", "x", "/hello/"), "hello /");
  EXPECT_EQ(where(table, "GET", "x", "/hell/o"), "hell /o");
  for (const char* unknown : {"/", "", "/helloo", "/Hello", "//hello", "hello", "/x/hello", "*", "?/hello"})
    EXPECT_EQ(where(table, "GET", "x", unknown), "unknown-function") << unknown;
  EXPECT_EQ(table.find("hello")->name, "hello");
  EXPECT_EQ(table.find("nobody"), nullptr);
}

TEST(RouteTable, SaysWhatItTookOffThePathAndWhichVersionWasNamed) {
  const RouteTable table({function("hello", {"/by-route"})});
  const auto named = table.match("GET", "x", "/hello@3/a?b");
  ASSERT_TRUE(named);
  EXPECT_EQ(named->reference, "3");
  EXPECT_EQ(named->prefix, "/hello@3");
  EXPECT_EQ(named->target, "/a?b");
  EXPECT_EQ(table.match("GET", "x", "/hello@stable")->reference, "stable");
  const auto plain = table.match("GET", "x", "/hello/a@3");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->reference, "");
  EXPECT_EQ(plain->prefix, "/hello");
  const auto routed = table.match("GET", "x", "/by-route?q");
  ASSERT_TRUE(routed);
  EXPECT_EQ(routed->prefix, "");
  EXPECT_EQ(routed->target, "/by-route?q");
  ASSERT_NE(routed->route, nullptr);
  EXPECT_EQ(routed->route->key, "ANY /by-route");
  EXPECT_EQ(plain->route, nullptr);
}

TEST(RouteTable, PlaceholdersStandForOneSegmentAndTheLastStarForAll) {
  const RouteTable table({function("user", {"/users/:id"}), function("files", {"/files/*"}),
                          function("middle", {"/a/*/c"}), function("root", {"/"})});
  EXPECT_EQ(where(table, "GET", "", "/users/7"), "user /users/7");
  EXPECT_EQ(where(table, "GET", "", "/users/7/"), "user /users/7/");
  EXPECT_EQ(where(table, "GET", "", "/users/7?x"), "user /users/7?x");
  EXPECT_EQ(where(table, "GET", "", "/users"), "unknown-function");
  EXPECT_EQ(where(table, "GET", "", "/users/"), "unknown-function") << "a placeholder is never empty";
  EXPECT_EQ(where(table, "GET", "", "/users/7/8"), "unknown-function");
  EXPECT_EQ(where(table, "GET", "", "/files/a/b/c"), "files /files/a/b/c");
  EXPECT_EQ(where(table, "GET", "", "/files"), "files /files");
  EXPECT_EQ(where(table, "GET", "", "/filesystem"), "unknown-function");
  EXPECT_EQ(where(table, "GET", "", "/a/b/c"), "middle /a/b/c");
  EXPECT_EQ(where(table, "GET", "", "/a/b/d"), "unknown-function");
  EXPECT_EQ(where(table, "GET", "", "/"), "root /");
  EXPECT_EQ(where(table, "GET", "", "/?q"), "root /?q");
}

TEST(RouteTable, AskingAHostMeansThatHostAlone) {
  const RouteTable table({function("api", {"api.example.com/*"}), function("six", {"[::1]/*"})});
  EXPECT_EQ(where(table, "GET", "api.example.com", "/x"), "api /x");
  EXPECT_EQ(where(table, "GET", "API.example.COM:8080", "/x"), "api /x");
  EXPECT_EQ(where(table, "GET", "example.com", "/x"), "unknown-function");
  EXPECT_EQ(where(table, "GET", "", "/x"), "unknown-function");
  EXPECT_EQ(where(table, "GET", "[::1]", "/x"), "six /x");
  EXPECT_EQ(where(table, "GET", "[::1]:8080", "/x"), "six /x");
}

TEST(RouteTable, TheMostSpecificPatternWinsWhateverTheOrder) {
  std::vector<FunctionPtr> functions{
      function("all", {"/*"}),         function("tail", {"/a/*"}),    function("any", {"/a/:x"}),
      function("exact", {"/a/b"}),     function("get", {"GET /a/b"}), function("host", {"h/*"}),
      function("deep", {"/a/b/:x/*"}),
  };
  for (int turn = 0; turn < 2; ++turn) {
    const RouteTable table(functions);
    EXPECT_EQ(where(table, "GET", "h", "/a/b"), "host /a/b");
    EXPECT_EQ(where(table, "GET", "x", "/a/b"), "get /a/b");
    EXPECT_EQ(where(table, "POST", "x", "/a/b"), "exact /a/b");
    EXPECT_EQ(where(table, "GET", "x", "/a/c"), "any /a/c");
    EXPECT_EQ(where(table, "GET", "x", "/a/c/d"), "tail /a/c/d");
    EXPECT_EQ(where(table, "GET", "x", "/a/b/c"), "deep /a/b/c");
    EXPECT_EQ(where(table, "GET", "x", "/z"), "all /z");
    std::ranges::reverse(functions);
  }
}

TEST(RouteTable, PatternsWinOverNames) {
  const RouteTable table({function("hello"), function("shadow", {"/hello/admin"})});
  EXPECT_EQ(where(table, "GET", "", "/hello/admin"), "shadow /hello/admin");
  EXPECT_EQ(where(table, "GET", "", "/hello/other"), "hello /other");
}

TEST(RouteTable, AMethodThatNoPatternTakesIsNamedWithThoseThatDo) {
  const RouteTable table({function("read", {"GET /a"}), function("write", {"POST /a"})});
  const auto refused = table.match("DELETE", "", "/a");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, RouterErrc::method_not_allowed);
  EXPECT_EQ(refused.error().detail("allow"), "GET, HEAD, POST");
  EXPECT_EQ(where(table, "HEAD", "", "/a"), "read /a") << "HEAD is GET without the body";
  EXPECT_EQ(where(table, "POST", "", "/a"), "write /a");
}

TEST(RouteTable, ARouteUnderTheFunctionsOwnNameSaysItsMethods) {
  const RouteTable table({function("hello", {"GET /hello/*", "PUT /hello/*"}), function("users", {}),
                          function("api", {"GET /users"})});
  const auto refused = table.match("POST", "", "/hello/x");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, RouterErrc::method_not_allowed);
  EXPECT_EQ(refused.error().detail("allow"), "GET, HEAD, PUT");
  EXPECT_EQ(where(table, "GET", "", "/hello/x"), "hello /hello/x");
  EXPECT_TRUE(table.match("POST", "", "/hello@1/x")) << "a version that is named is asked for all the same";
  EXPECT_EQ(where(table, "POST", "", "/users"), "users ")
      << "another function's route says nothing of this one";
}

TEST(RouteTable, RoutesAreThoseOfTheVersionWithMostTraffic) {
  auto versions = std::make_shared<Function>();
  versions->name = "f";
  for (const std::uint32_t number : {1U, 2U}) {
    auto version = std::make_shared<Version>();
    version->function = "f";
    version->number = number;
    version->config.routes = {"/v" + std::to_string(number)};
    versions->versions[number] = version;
  }
  versions->traffic.weights = {{1, 90}, {2, 10}};
  EXPECT_EQ(where(RouteTable({versions}), "GET", "", "/v1"), "f /v1");
  EXPECT_EQ(where(RouteTable({versions}), "GET", "", "/v2"), "unknown-function");
  versions->traffic.weights = {{1, 10}, {2, 90}};
  EXPECT_EQ(where(RouteTable({versions}), "GET", "", "/v2"), "f /v2");
}

/// Versions 1, 2 and 3; "stable" is 2; nothing goes to 3 by itself.
Function three_versions() {
  Function f;
  f.name = "f";
  for (const std::uint32_t number : {1U, 2U, 3U}) {
    auto version = std::make_shared<Version>();
    version->number = number;
    f.versions[number] = version;
  }
  f.aliases["stable"] = 2;
  f.traffic.weights = {{1, 1}, {2, 3}};
  return f;
}

/// The number of the version, or nothing.
std::optional<std::uint32_t> chosen(const Function& f, std::string_view reference,
                                    std::string_view headers = {}, std::uint32_t draw = 0) {
  const auto version = choose_version(f, reference, headers, draw);
  if (!version) {
    EXPECT_EQ(version.error().code, RouterErrc::unknown_version);
    return std::nullopt;
  }
  return (*version)->number;
}

TEST(ChooseVersion, TheOneThatIsNamed) {
  const auto f = three_versions();
  EXPECT_EQ(chosen(f, "3"), 3);
  EXPECT_EQ(chosen(f, "stable"), 2);
  for (const char* unknown : {"4", "0", "latest", "3x", "-1", "+3", " 3", "99999999999999999999"})
    EXPECT_EQ(chosen(f, unknown), std::nullopt) << unknown;
}

TEST(ChooseVersion, DrawsByWeight) {
  const auto f = three_versions();
  constexpr std::uint32_t kQuarter = 1U << 30U;
  EXPECT_EQ(chosen(f, "", {}, 0), 1);
  EXPECT_EQ(chosen(f, "", {}, kQuarter - 1), 1);
  EXPECT_EQ(chosen(f, "", {}, kQuarter), 2);
  EXPECT_EQ(chosen(f, "", {}, UINT32_MAX), 2);
}

TEST(ChooseVersion, TheLargestWeightsDoNotOverflow) {
  auto f = three_versions();
  f.traffic.weights = {{1, 1'000'000}, {2, 1'000'000}};
  EXPECT_EQ(chosen(f, "", {}, 0), 1);
  EXPECT_EQ(chosen(f, "", {}, UINT32_MAX), 2);
}

/// "sid\0<value>\0".
std::string header(std::string_view name, std::string_view value) {
  return std::string(name).append(1, '\0').append(value).append(1, '\0');
}

/// How often version 2 is chosen for 1000 different clients; each must get the same version at every draw.
int clients_of_second(const Function& f, const std::function<std::string(const std::string&)>& headers_of) {
  int second = 0;
  for (int client = 0; client < 1000; ++client) {
    const auto headers = headers_of("client-" + std::to_string(client));
    const auto first = chosen(f, "", headers, 0);
    EXPECT_EQ(first, chosen(f, "", headers, UINT32_MAX)) << client;
    EXPECT_EQ(first, chosen(f, "", headers, 1U << 31U)) << client;
    second += first == 2 ? 1 : 0;
  }
  return second;
}

TEST(ChooseVersion, StickyByHeader) {
  auto f = three_versions();
  f.traffic.sticky = "header:X-Client";
  const int second = clients_of_second(f, [](const auto& client) {
    return header("accept", "x-client") + header("x-client", client) + header("z", "1");
  });
  EXPECT_NEAR(second, 750, 60) << "the weights hold for the clients together";
}

TEST(ChooseVersion, StickyByCookie) {
  auto f = three_versions();
  f.traffic.sticky = "cookie:sid";
  const int second = clients_of_second(f, [](const auto& client) {
    return header("cookie", "other=1; xsid=2;sid=" + client + "; sid2=3") + header("z", "1");
  });
  EXPECT_NEAR(second, 750, 60);
}

TEST(ChooseVersion, WhoBringsNothingToStickByIsDrawn) {
  auto f = three_versions();
  for (const char* sticky : {"header:x-client", "cookie:sid"}) {
    f.traffic.sticky = sticky;
    const auto headers = header("cookie", "a=b; sid=; flag") + header("accept", "x-client");
    EXPECT_EQ(chosen(f, "", headers, 0), 1) << sticky;
    EXPECT_EQ(chosen(f, "", headers, UINT32_MAX), 2) << sticky;
  }
}

TEST(ChooseVersion, ANamedVersionIsNotStuck) {
  auto f = three_versions();
  f.traffic.sticky = "header:x-client";
  EXPECT_EQ(chosen(f, "3", header("x-client", "me")), 3);
}

}  // namespace
}  // namespace mayfly::router
