#include "base/json_depth.h"

#include <gtest/gtest.h>

#include <string>

namespace mayfly {
namespace {

TEST(JsonDepth, CountsListsAndObjectsInEachOther) {
  EXPECT_TRUE(nests_at_most("1", 0));
  EXPECT_FALSE(nests_at_most("[1]", 0));
  EXPECT_TRUE(nests_at_most(R"({"a":[1],"b":[2]})", 2));
  EXPECT_FALSE(nests_at_most(R"({"a":[{}]})", 2));
  EXPECT_TRUE(nests_at_most(R"(["[[[[", "\"[[["])", 1)) << "brackets in strings are text";
  EXPECT_FALSE(nests_at_most(std::string(200'000, '['), 100));
  EXPECT_TRUE(nests_at_most("]]]][", 1)) << "not valid, and still an answer";
}

}  // namespace
}  // namespace mayfly
