#include "pipelines/value.h"

#include <gtest/gtest.h>

#include "events/store.h"

namespace mayfly::pipelines {
namespace {

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(Value, IsJsonAsItIsOrText) {
  EXPECT_EQ(to_value(""), "null");
  EXPECT_EQ(to_value(R"( {"a": 1.50} )"), R"( {"a": 1.50} )");
  EXPECT_EQ(to_value("12345678901234567890123"), "12345678901234567890123");
  EXPECT_EQ(to_value("plain \"text\"\n"), R"("plain \"text\"\n")");
  EXPECT_EQ(to_value("[1"), R"("[1")");
}

TEST(Value, FailsOnWhatIsNoText) {
  EXPECT_EQ(to_value("\xff\xfe").error().type, "pipelines:not-text");
  EXPECT_EQ(to_value("\"\xff\"").error().type, "pipelines:not-text");
}

TEST(Value, FailsOnWhatIsTooLarge) {
  EXPECT_TRUE(to_value("\"" + std::string(kMaxValue - 2, 'x') + "\""));
  EXPECT_EQ(to_value("\"" + std::string(kMaxValue - 1, 'x') + "\"").error().type, "pipelines:too-large");
  EXPECT_EQ(to_value(std::string(kMaxValue - 1, '\n') + "x").error().type, "pipelines:too-large");
}

TEST(Value, FailsOnWhatIsNestedTooDeeply) {
  EXPECT_TRUE(to_value(nested(kMaxDepth)));
  EXPECT_EQ(to_value(nested(kMaxDepth + 1)).error().type, "pipelines:too-deep");
  EXPECT_EQ(to_value(nested(500'000)).error().type, "pipelines:too-deep");
  EXPECT_TRUE(to_value(R"(["\"", "[[[)" + std::string(200, '{') + R"(\\"])"));
  EXPECT_TRUE(to_value("[" + std::string(200, ' ') + "[1],[2]]"));
  std::string side_by_side = "[[]";
  for (int i = 0; i < 200; ++i) side_by_side += ",[]";
  EXPECT_TRUE(to_value(side_by_side + "]"));
}

TEST(Value, IsRefusedAsAnAnswerToWhoeverSentIt) {
  EXPECT_TRUE(check_value("text"));
  const auto refused = check_value(nested(kMaxDepth + 1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, events::EventsErrc::bad_value);
  EXPECT_EQ(refused.error().detail("reason"), "pipelines:too-deep");
}

}  // namespace
}  // namespace mayfly::pipelines
