#include "access/guard.h"

#include <gtest/gtest.h>

#include "access/credential.h"
#include "access/error.h"

namespace mayfly::access {
namespace {

using namespace std::chrono_literals;
using registry::Access;

std::string field(std::string_view name, std::string_view value) {
  return std::string(name) + '\0' + std::string(value) + '\0';
}

const std::string kText = "mf_" + std::string(64, 'a');
const std::string kOther = "mf_" + std::string(64, 'b');
const Rule kWithKey{.access = Access::key};

struct GuardTest : testing::Test {
  GuardTest() { clock.advance(1h); }
  void give(const Key& key, const std::string& text = kText) {
    keys.insert_or_assign(hash_of(text), key);
    guard.publish(std::make_shared<const KeyTable>(keys));
  }
  Error refused(const Rule& rule, const std::string& headers) {
    auto result = guard.admit(rule, "pay", headers);
    EXPECT_FALSE(result);
    return result ? Error{} : result.error();
  }
  ManualClock clock;
  Guard guard{clock};
  KeyTable::Keys keys;
};

TEST_F(GuardTest, AKeyComesInEitherFieldAndIsTakenOff) {
  give({.name = "partner"});
  for (const auto& credential : {field("authorization", "Bearer " + kText),
                                 field("authorization", "bEARER   " + kText), field("x-api-key", kText)}) {
    const auto before = field("host", "x");
    const auto headers = before + credential + field("accept", "*/*");
    const auto admission = guard.admit(kWithKey, "pay", headers);
    ASSERT_TRUE(admission) << credential;
    EXPECT_EQ(admission->credential.begin, before.size());
    EXPECT_EQ(admission->credential.size, credential.size());
    EXPECT_EQ(admission->identity, field("mayfly-key", "partner"));
    EXPECT_EQ(admission->limits, "");
  }
}

TEST_F(GuardTest, AnotherAuthorizationIsTheFunctions) {
  give({.name = "partner"});
  const auto basic = field("authorization", "Basic abc");
  const auto admission = guard.admit(kWithKey, "pay", basic + field("x-api-key", kText));
  ASSERT_TRUE(admission);
  EXPECT_EQ(admission->credential.begin, basic.size());
  EXPECT_EQ(refused(kWithKey, basic).code, AccessErrc::key_needed);
}

TEST_F(GuardTest, WhoHasNoKeyIsToldSo) {
  give({.name = "partner", .functions = {"ship"}});
  const auto none = refused(kWithKey, field("host", "x"));
  EXPECT_EQ(none.code, AccessErrc::key_needed);
  EXPECT_EQ(none.detail("www-authenticate"), "Bearer realm=\"pay\"");
  const auto wrong = refused(kWithKey, field("x-api-key", kOther));
  EXPECT_EQ(wrong.code, AccessErrc::invalid_key);
  EXPECT_TRUE(wrong.detail("www-authenticate").contains("error=\"invalid_token\""));
  EXPECT_FALSE(wrong.message.contains("bbb"));
  const auto elsewhere = refused(kWithKey, field("x-api-key", kText));
  EXPECT_EQ(elsewhere.code, AccessErrc::key_not_allowed);
  EXPECT_TRUE(elsewhere.detail("www-authenticate").contains("error=\"insufficient_scope\""));
  EXPECT_TRUE(guard.admit(kWithKey, "ship", field("x-api-key", kText)));
  EXPECT_EQ(refused(kWithKey, field("x-api-key", kText) + field("authorization", "Bearer " + kText)).code,
            AccessErrc::two_credentials);
}

TEST_F(GuardTest, AKeyExpiresAndIsRevoked) {
  give({.name = "partner", .expires = clock.wall() + 1s});
  const auto headers = field("x-api-key", kText);
  clock.advance(999ms);
  EXPECT_TRUE(guard.admit(kWithKey, "pay", headers));
  clock.advance(1ms);
  EXPECT_EQ(refused(kWithKey, headers).code, AccessErrc::invalid_key);
  give({.name = "partner"});
  EXPECT_TRUE(guard.admit(kWithKey, "pay", headers));
  guard.publish(std::make_shared<const KeyTable>());
  EXPECT_EQ(refused(kWithKey, headers).code, AccessErrc::invalid_key);
}

TEST_F(GuardTest, AFunctionsRateIsForAllTogether) {
  const Rule rule{.limit = Rate{2, 60s, 2}};
  const auto first = guard.admit(rule, "pay", "");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->limits,
            field("ratelimit-policy", "\"function\";q=2;w=60") + field("ratelimit", "\"function\";r=1;t=30"));
  EXPECT_TRUE(guard.admit(rule, "pay", ""));
  const auto third = refused(rule, "");
  EXPECT_EQ(third.code, AccessErrc::rate_limited);
  EXPECT_EQ(third.detail("retry-after"), "30");
  EXPECT_EQ(third.detail("ratelimit"), "\"function\";r=0;t=30");
  EXPECT_TRUE(guard.admit(rule, "ship", "")) << "another function has its own";
  clock.advance(30s);
  EXPECT_TRUE(guard.admit(rule, "pay", ""));
  guard.forget("pay");
  EXPECT_TRUE(guard.admit(rule, "pay", "")) << "a new function of that name";
}

TEST_F(GuardTest, AKeysRateIsItsOwnAndIsAskedFirst) {
  give({.name = "slow", .rate = Rate{1, 60s, 1}});
  give({.name = "free"}, kOther);
  const Rule rule{.access = Access::key, .limit = Rate{3, 60s, 3}};
  EXPECT_TRUE(guard.admit(rule, "pay", field("x-api-key", kText)));
  for (int i = 0; i < 5; ++i) {
    const auto limited = refused(rule, field("x-api-key", kText));
    EXPECT_EQ(limited.code, AccessErrc::rate_limited);
    EXPECT_TRUE(limited.message.contains("'slow'"));
  }
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(guard.admit(rule, "pay", field("x-api-key", kOther)));
  EXPECT_TRUE(refused(rule, field("x-api-key", kOther)).message.contains("the function"));
}

TEST_F(GuardTest, BucketsThatAreFullAgainAreLetGo) {
  for (int i = 0; i < 2000; ++i) {
    give({.name = "k" + std::to_string(i), .rate = Rate{1, 1s, 1}}, kText);
    EXPECT_TRUE(guard.admit(kWithKey, "pay", field("x-api-key", kText)));
    clock.advance(100ms);
  }
  EXPECT_LE(guard.buckets(), 300U);
}

}  // namespace
}  // namespace mayfly::access
