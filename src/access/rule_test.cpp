#include "access/rule.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace mayfly::access {
namespace {

using namespace std::chrono_literals;
using registry::Access;
using registry::Function;
using registry::FunctionConfig;

/// Versions 1, 2, … with these configurations; traffic by version.
Function function_of(const std::vector<FunctionConfig>& configs,
                     std::map<std::uint32_t, std::uint32_t> weights) {
  Function function;
  for (const auto& config : configs) {
    auto version = std::make_shared<registry::Version>();
    version->number = static_cast<std::uint32_t>(function.versions.size() + 1);
    version->config = config;
    function.versions.emplace(version->number, std::move(version));
  }
  function.traffic.weights = std::move(weights);
  return function;
}
Rule rule(const Function& function, std::uint32_t number) {
  return rule_of(function, *function.versions.at(number));
}

FunctionConfig everyone() { return {}; }
FunctionConfig key() {
  FunctionConfig config;
  config.access = Access::key;
  return config;
}
FunctionConfig token(std::vector<std::string> scopes, const std::string& issuer = "issuer") {
  FunctionConfig config;
  config.access = Access::jwt;
  config.jwt = {.jwks = "/keys", .issuer = issuer, .audience = "shop", .scopes = std::move(scopes)};
  return config;
}
FunctionConfig limited(FunctionConfig config, const Rate& rate) {
  config.rate_limit = rate;
  return config;
}
using Scopes = std::vector<std::string>;

TEST(Rule, AnOldVersionDoesNotStayOpenUnderItsNumber) {
  const std::vector both{everyone(), limited(key(), {5, 1s, 5})};
  const auto closed = function_of(both, {{2, 9}, {1, 1}});
  EXPECT_EQ(rule(closed, 1).access, Access::key);
  EXPECT_EQ(rule(closed, 1).limit, (Rate{5, 1s, 5}));
  const auto open = function_of(both, {{1, 9}, {2, 1}});
  EXPECT_TRUE(rule(open, 1).open());
  EXPECT_EQ(rule(open, 2).access, Access::key) << "nor does a new one while few get it";
}

TEST(Rule, AWeakerOneDoesNotCountUnderAnOldNumber) {
  for (const auto& weaker : {everyone(), key(), token({}), token({"read"}), token({"admin"}, "another")}) {
    const auto now = rule(function_of({weaker, token({"admin"})}, {{2, 1}}), 1);
    EXPECT_EQ(now.access, Access::jwt);
    EXPECT_EQ(now.jwt.issuer, "issuer");
    EXPECT_TRUE(std::ranges::find(now.jwt.scopes, "admin") != now.jwt.scopes.end());
  }
  EXPECT_EQ(rule(function_of({token({"admin"}), key()}, {{2, 1}}), 1).access, Access::key)
      << "tokens are not good any more";
}

TEST(Rule, AStricterOneKeepsWhatItAsks) {
  EXPECT_EQ(rule(function_of({key(), everyone()}, {{2, 1}}), 1).access, Access::key);
  EXPECT_EQ(rule(function_of({token({"read", "write"}), token({"read"})}, {{2, 1}}), 1).jwt.scopes,
            (Scopes{"read", "write"}));
  EXPECT_EQ(rule(function_of({token({"read"}), token({"admin"})}, {{2, 1}}), 1).jwt.scopes,
            (Scopes{"admin", "read"}))
      << "what it wants is wanted too";
}

TEST(Rule, WhomAnyVersionThatServesLetsInMayCallAnOldOne) {
  const std::vector all{key(), token({"admin"}), key()};
  EXPECT_EQ(rule(function_of(all, {{2, 9}, {3, 1}}), 1).access, Access::key);
  EXPECT_EQ(rule(function_of(all, {{2, 9}, {3, 1}}), 3).access, Access::key) << "it serves";
  EXPECT_EQ(rule(function_of({key(), token({}), everyone()}, {{2, 9}, {3, 1}}), 1).access, Access::jwt)
      << "a public one is guarded by the one with most of the traffic";
}

TEST(Rule, TheLowerRateCounts) {
  const auto limit = [](const FunctionConfig& old, const FunctionConfig& serving) {
    return rule(function_of({old, serving}, {{2, 1}}), 1).limit;
  };
  const auto none = everyone();
  const auto with = [](std::uint32_t count, std::chrono::seconds period, std::uint32_t burst) {
    return limited(everyone(), {count, period, burst});
  };
  EXPECT_EQ(limit(with(1000, 1s, 1000), with(1, 1s, 1)), (Rate{1, 1s, 1}));
  EXPECT_EQ(limit(with(1, 1s, 1), with(1000, 1s, 1000)), (Rate{1, 1s, 1}));
  EXPECT_EQ(limit(with(100, 60s, 100), with(2, 1s, 5)), (Rate{100, 60s, 5})) << "and the smaller burst";
  EXPECT_EQ(limit(with(1'000'000, 3600s, 9), with(1'000'000, 1s, 9)), (Rate{1'000'000, 3600s, 9}));
  EXPECT_EQ(limit(none, with(1, 1s, 1)), (Rate{1, 1s, 1}));
  EXPECT_EQ(limit(with(1, 1s, 1), none), (Rate{1, 1s, 1}));
  EXPECT_EQ(limit(none, none), std::nullopt);
}

}  // namespace
}  // namespace mayfly::access
