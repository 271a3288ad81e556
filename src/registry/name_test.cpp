#include "registry/name.h"

#include <gtest/gtest.h>

#include <string>

#include "registry/error.h"

namespace mayfly::registry {
namespace {

TEST(FunctionName, FitsIntoPathsAndHosts) {
  for (const char* good : {"a", "hello", "0", "a-b_c9"}) EXPECT_TRUE(check_function_name(good)) << good;
  EXPECT_TRUE(check_function_name(std::string(63, 'a')));
  for (const std::string& bad :
       {std::string(), std::string("A"), std::string("-a"), std::string("_a"), std::string("a.b"),
        std::string("a/b"), std::string("ü"), std::string("a\0b", 3), std::string(64, 'a')}) {
    const auto checked = check_function_name(bad);
    ASSERT_FALSE(checked) << bad;
    EXPECT_EQ(checked.error().code, RegistryErrc::bad_name);
  }
}

TEST(FunctionName, IsNoPathOfThePlatforms) {
  for (const char* taken : {"topics", "pipelines"}) EXPECT_FALSE(check_function_name(taken)) << taken;
  EXPECT_TRUE(check_function_name("pipeline"));
}

TEST(Alias, IsNoNumber) {
  EXPECT_TRUE(check_alias("stable"));
  EXPECT_TRUE(check_alias("3rd"));
  EXPECT_FALSE(check_alias("3"));
  EXPECT_FALSE(check_alias(""));
}

}  // namespace
}  // namespace mayfly::registry
