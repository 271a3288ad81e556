#include "pipelines/path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace mayfly::pipelines {
namespace {

using nlohmann::json;
using testing::HasSubstr;

json at(const std::string& path, const std::string& value) {
  const auto parsed = Path::parse(path);
  EXPECT_TRUE(parsed) << path << ": " << parsed.error().message;
  const auto document = json::parse(value);
  const auto* found = parsed ? parsed->find(document) : nullptr;
  return found == nullptr ? json("(nowhere)") : *found;
}

TEST(Path, LeadsToNamesAndIndexes) {
  const std::string value = R"({"a":{"b-c":[10,[20,30],{"d":null}]},"it's":1,"q\"\\":2,"ä":3,"":4})";
  EXPECT_EQ(at("$", "[1]"), json::parse("[1]"));
  EXPECT_EQ(at("$.a.b-c[0]", value), 10);
  EXPECT_EQ(at("$['a']['b-c'][1][1]", value), 30);
  EXPECT_EQ(at("$.a.b-c[-1].d", value), nullptr);
  EXPECT_EQ(at("$.a.b-c[-3]", value), 10);
  EXPECT_EQ(at(R"($['it\'s'])", value), 1);
  EXPECT_EQ(at(R"($["it's"])", value), 1);
  EXPECT_EQ(at(R"($["q\"\\"])", value), 2);
  EXPECT_EQ(at("$.ä", value), 3);
  EXPECT_EQ(at("$['']", value), 4);
}

TEST(Path, LeadsNowhereWhereThereIsNothing) {
  for (const auto* path : {"$.b", "$[0]", "$.a.x", "$.a[2]", "$.a[-3]", "$.a['0']", "$.s.length", "$.n.x"})
    EXPECT_EQ(at(path, R"({"a":[1,2],"s":"text","n":null})"), "(nowhere)") << path;
}

TEST(Path, IsRefusedFromWhereItIsNone) {
  for (const auto* text : {"",     "a",      ".a",         "$a",       "$.",
                           "$..a", "$.1",    "$.-a",       "$[",       "$[]",
                           "$[a]", "$['a]",  "$['a'",      "$[1",      "$[1:2]",
                           "$[*]", "$.*",    "$['a','b']", "$[?@.a]",  "$.a b",
                           "$ .a", "$[ 1 ]", "$[1.5]",     "$['\\n']", "$[99999999999]",
                           "$[+1]"})
    EXPECT_FALSE(Path::parse(text)) << text;
  EXPECT_FALSE(Path::parse("$." + std::string(2'000, 'a')));
  EXPECT_FALSE(Path::parse("$.\xff"));
  EXPECT_THAT(Path::parse("$.a.b[*].c").error().message, HasSubstr("from '[*].c' on"));
}

}  // namespace
}  // namespace mayfly::pipelines
