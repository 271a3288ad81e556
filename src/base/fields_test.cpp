#include "base/fields.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace mayfly {
namespace {

using namespace std::string_literals;

std::vector<std::pair<std::string, std::string>> read(std::string_view fields) {
  std::vector<std::pair<std::string, std::string>> all;
  for_each_field(fields,
                 [&](std::string_view name, std::string_view value) { all.emplace_back(name, value); });
  return all;
}

TEST(Fields, AreReadAsTheyWereWritten) {
  std::string fields;
  append_field(fields, "host", "h");
  append_field(fields, "cookie", "");
  append_field(fields, "cookie", "a");
  EXPECT_EQ(fields, "host\0h\0cookie\0\0cookie\0a\0"s);
  EXPECT_EQ(read(fields), (std::vector<std::pair<std::string, std::string>>{
                              {"host", "h"}, {"cookie", ""}, {"cookie", "a"}}));
}

TEST(Fields, OfOneNameTheLastCounts) {
  std::string fields;
  append_field(fields, "a", "1");
  append_field(fields, "b", "2");
  append_field(fields, "a", "3");
  EXPECT_EQ(field_value(fields, "a"), "3");
  EXPECT_EQ(field_value(fields, "b"), "2");
  EXPECT_EQ(field_value(fields, "c"), "");
}

TEST(Fields, ThatAreCutOffEndThere) {
  using All = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(read({}), All{});
  EXPECT_EQ(read("a"), (All{{"a", ""}}));
  EXPECT_EQ(read("a\0b"s), (All{{"a", "b"}}));
}

}  // namespace
}  // namespace mayfly
