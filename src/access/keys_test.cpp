#include "access/keys.h"

#include <gtest/gtest.h>

#include "access/error.h"
#include "base/temp_folder.h"

namespace mayfly::access {
namespace {

using namespace std::chrono_literals;

struct KeysTest : testing::Test {
  std::unique_ptr<Keys> open() { return Keys::open(folder.path(), clock).value(); }
  TempFolder folder;
  ManualClock clock;
};

TEST_F(KeysTest, AreFoundByTheirTextAlone) {
  const auto keys = open();
  const auto text = keys->create({.name = "a", .functions = {"pay", "ship"}, .rate = Rate{5, 1s, 9}});
  ASSERT_TRUE(text);
  EXPECT_EQ(text->size(), kKeySize);
  const auto table = keys->table();
  const Key* key = table->find(*text);
  ASSERT_NE(key, nullptr);
  EXPECT_EQ(key->name, "a");
  EXPECT_TRUE(key->is_for("pay") && key->is_for("ship"));
  EXPECT_FALSE(key->is_for("hello"));
  auto other = *text;
  other.back() = other.back() == '0' ? '1' : '0';
  for (const auto& wrong : {std::string(), other, text->substr(3), *text + " ", std::string("mf_")})
    EXPECT_EQ(table->find(wrong), nullptr) << wrong;
}

TEST_F(KeysTest, AreThereAfterARestartUntilTheyAreRevoked) {
  auto keys = open();
  const auto text = keys->create({.name = "a",
                                  .functions = {"pay", "ship"},
                                  .rate = Rate{5, 60s, 9},
                                  .lifetime = std::chrono::hours(1)});
  const auto all = keys->create({.name = "b"});
  ASSERT_TRUE(text && all);
  keys = open();
  const auto table = keys->table();
  const Key* key = table->find(*text);
  ASSERT_NE(key, nullptr);
  EXPECT_EQ(key->functions, (std::set<std::string, std::less<>>{"pay", "ship"}));
  EXPECT_EQ(key->rate, (Rate{5, 60s, 9}));
  EXPECT_EQ(key->expires, clock.wall() + 1h);
  EXPECT_TRUE(table->find(*all)->is_for("anything"));
  EXPECT_FALSE(table->find(*all)->rate || table->find(*all)->expires);
  ASSERT_TRUE(keys->revoke("a"));
  EXPECT_EQ(keys->table()->find(*text), nullptr);
  EXPECT_NE(table->find(*text), nullptr) << "a table that was given out does not change";
  EXPECT_EQ(keys->revoke("a").error().code, AccessErrc::unknown_key);
  keys = open();
  EXPECT_EQ(keys->list().size(), 1U);
}

TEST_F(KeysTest, ThatCannotBeMade) {
  const auto keys = open();
  ASSERT_TRUE(keys->create({.name = "a"}));
  EXPECT_EQ(keys->create({.name = "a"}).error().code, AccessErrc::key_exists);
  const std::vector<std::string> many(101, "f");
  for (const auto& wrong :
       {Keys::NewKey{.name = ""}, Keys::NewKey{.name = "A"}, Keys::NewKey{.name = "a b"},
        Keys::NewKey{.name = std::string(64, 'x')}, Keys::NewKey{.name = "x", .functions = {"no function"}},
        Keys::NewKey{.name = "x", .functions = many}})
    EXPECT_EQ(keys->create(wrong).error().code, AccessErrc::bad_key) << wrong.name;
  EXPECT_EQ(keys->list().size(), 1U);
}

}  // namespace
}  // namespace mayfly::access
