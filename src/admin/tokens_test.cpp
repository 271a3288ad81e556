#include "admin/tokens.h"

#include <gtest/gtest.h>

#include "admin/errors.h"
#include "base/temp_folder.h"

namespace mayfly::admin {
namespace {

constexpr Scopes kReadInvoke = 3;

struct TokensTest : testing::Test {
  std::unique_ptr<Tokens> open() { return Tokens::open(folder.path(), clock).value(); }
  TempFolder folder;
  ManualClock clock;
};

TEST_F(TokensTest, MayDoWhatTheirScopesSay) {
  const auto tokens = open();
  const auto token = tokens->create("a", kReadInvoke, std::nullopt);
  ASSERT_TRUE(token);
  EXPECT_TRUE(tokens->check("Bearer " + *token, Scope::read));
  EXPECT_TRUE(tokens->check("bearer  " + *token + " ", Scope::invoke));
  for (const Scope scope : {Scope::deploy, Scope::admin}) {
    const auto refused = tokens->check("Bearer " + *token, scope);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, AdminErrc::missing_scope);
    EXPECT_EQ(refused.error().detail("scope"), scope_name(scope));
  }
  for (const std::string& wrong : std::vector<std::string>{"", "Bearer ", *token, "Bearer " + *token + "0",
                                                           "Bearer " + token->substr(7)})
    EXPECT_EQ(tokens->check(wrong, Scope::read).error().code, AdminErrc::unauthorized) << wrong;
}

TEST_F(TokensTest, AreThereAfterARestartUntilTheyExpireOrAreRevoked) {
  auto tokens = open();
  const auto lasting = tokens->create("lasting", kReadInvoke, std::nullopt);
  const auto brief = tokens->create("brief", kReadInvoke, std::chrono::hours(1));
  ASSERT_TRUE(lasting && brief);
  tokens = open();
  EXPECT_EQ(tokens->list().size(), 2U);
  EXPECT_EQ(tokens->get("brief")->expires, clock.wall() + std::chrono::hours(1));
  clock.advance(std::chrono::hours(1) - std::chrono::nanoseconds(1));
  EXPECT_TRUE(tokens->check("Bearer " + *brief, Scope::read));
  clock.advance(std::chrono::nanoseconds(1));
  EXPECT_EQ(tokens->check("Bearer " + *brief, Scope::read).error().code, AdminErrc::unauthorized);
  EXPECT_TRUE(tokens->check("Bearer " + *lasting, Scope::read));
  ASSERT_TRUE(tokens->revoke("lasting"));
  EXPECT_EQ(tokens->check("Bearer " + *lasting, Scope::read).error().code, AdminErrc::unauthorized);
  EXPECT_EQ(tokens->revoke("lasting").error().code, AdminErrc::unknown_token);
  tokens = open();
  EXPECT_EQ(tokens->list().size(), 1U);
}

TEST_F(TokensTest, ARouteThatNobodyNamedNeedsTheAdminToken) {
  EXPECT_EQ(scope_of("something-new"), Scope::admin);
  EXPECT_EQ(scope_of("deploy"), Scope::deploy);
  EXPECT_FALSE(parse_scope("admin")) << "it cannot be given";
}

}  // namespace
}  // namespace mayfly::admin
