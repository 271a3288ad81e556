#include "access/opening.h"

#include <gtest/gtest.h>

#include "registry/error.h"

namespace mayfly::access {
namespace {

using registry::Access;
using registry::Function;
using registry::RegistryErrc;
using registry::Traffic;

/// 1 and 2 are public, 3 and 4 have keys, 5 to 8 tokens: of the same issuer, 6 with a scope, 7 for another
/// audience, 8 with two scopes.
Function function_with(Traffic traffic) {
  Function function;
  function.name = "pay";
  for (std::uint32_t number = 1; number <= 8; ++number) {
    auto version = std::make_shared<registry::Version>();
    version->function = "pay";
    version->number = number;
    auto& config = version->config;
    if (number > 2) config.access = number > 4 ? Access::jwt : Access::key;
    if (number > 4) config.jwt = {.jwks = "/keys", .issuer = "issuer", .audience = "shop", .scopes = {}};
    if (number == 6) config.jwt.scopes = {"read"};
    if (number == 7) config.jwt.audience = "all";
    if (number == 8) config.jwt.scopes = {"write", "read"};
    function.versions[number] = version;
  }
  function.traffic = std::move(traffic);
  return function;
}

Traffic all_to(std::uint32_t number) { return {.weights = {{number, 100}}, .sticky = ""}; }
Traffic split(std::map<std::uint32_t, std::uint32_t> weights) {
  return {.weights = std::move(weights), .sticky = ""};
}

bool opens(const Traffic& now, const Traffic& then) {
  const auto checked = check_traffic(function_with(now), then);
  if (!checked) {
    EXPECT_EQ(checked.error().code, RegistryErrc::opens_access);
  }
  return !checked;
}

TEST(Opening, WhatIsClosedDoesNotBecomePublic) {
  EXPECT_TRUE(opens(all_to(3), all_to(1)));
  EXPECT_TRUE(opens(all_to(6), all_to(2)));
  EXPECT_FALSE(opens(all_to(1), all_to(2)));
  EXPECT_FALSE(opens(all_to(1), all_to(3)));
  EXPECT_FALSE(opens(all_to(3), all_to(4)));
}

TEST(Opening, KeysAndTokensStandSideBySide) {
  EXPECT_TRUE(opens(all_to(3), all_to(5)));
  EXPECT_TRUE(opens(all_to(5), all_to(3)));
  EXPECT_FALSE(opens(split({{3, 1}, {5, 2}}), all_to(3)));
  EXPECT_FALSE(opens(split({{3, 1}, {5, 2}}), all_to(6)));
}

TEST(Opening, TokensThatWereNotGoodOpen) {
  EXPECT_TRUE(opens(all_to(5), all_to(7)));
  EXPECT_TRUE(opens(all_to(6), all_to(5)));
  EXPECT_TRUE(opens(all_to(8), all_to(6)));
  EXPECT_FALSE(opens(all_to(5), all_to(6)));
  EXPECT_FALSE(opens(all_to(6), all_to(8)));
}

TEST(Opening, APublicVersionIsGuardedByTheOneWithMostOfTheTraffic) {
  EXPECT_FALSE(opens(all_to(3), split({{1, 49}, {3, 51}})));
  EXPECT_FALSE(opens(all_to(3), split({{1, 50}, {3, 50}}))) << "of equals the newest";
  EXPECT_TRUE(opens(all_to(3), split({{1, 51}, {3, 49}})));
  EXPECT_TRUE(opens(split({{1, 49}, {3, 51}}), split({{1, 51}, {3, 49}})));
  EXPECT_TRUE(opens(split({{1, 49}, {3, 51}}), all_to(1))) << "what has some has not all";
  EXPECT_FALSE(opens(split({{1, 51}, {3, 49}}), all_to(1))) << "it was public";
  EXPECT_TRUE(opens(all_to(3), split({{1, 1}, {3, 0}}))) << "a weight of 0 guards nothing";
}

TEST(Opening, VersionsThatAreNotThereAreLeftToOthers) {
  EXPECT_FALSE(opens(all_to(3), all_to(9)));
  EXPECT_FALSE(opens(all_to(3), split({{1, 5}, {9, 1}})));
  EXPECT_FALSE(opens(all_to(3), split({})));
}

TEST(Opening, TheErrorNamesBothVersionsAndWhoIsLetIn) {
  const auto error = check_traffic(function_with(all_to(8)), all_to(1)).error();
  EXPECT_EQ(
      error.message,
      "pay@8 serves now and lets in who sends a token of issuer for shop with write, read; pay@1 would let "
      "in everyone. If that is meant, say so: --open, or open=true in the query");
  EXPECT_EQ(error.detail("serves"), "pay@8");
  EXPECT_EQ(error.detail("opens"), "pay@1");
  EXPECT_EQ(error.detail("key"), "access");
}

TEST(Opening, AnAliasThatMovesOpensNothing) {
  auto function = function_with(all_to(1));
  function.aliases = {{"stable", 3}};
  EXPECT_EQ(check_alias(function, "stable", 1).error().code, RegistryErrc::opens_access);
  EXPECT_EQ(check_alias(function, "stable", 5).error().code, RegistryErrc::opens_access);
  EXPECT_TRUE(check_alias(function, "stable", 4));
  EXPECT_TRUE(check_alias(function, "stable", 9)) << "it is not there";
  EXPECT_TRUE(check_alias(function, "fresh", 1)) << "pay@1 answers already";
  function.traffic = all_to(4);
  EXPECT_TRUE(check_alias(function, "stable", 1)) << "guarded by the version that serves";
  function.traffic = all_to(6);
  function.aliases = {{"stable", 6}};
  EXPECT_TRUE(check_alias(function, "stable", 5)) << "so is one that wants less";
}

}  // namespace
}  // namespace mayfly::access
