#include "cloudevents/filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloudevents/cloud_event.h"

namespace mayfly::cloudevents {
namespace {

using testing::HasSubstr;

const CloudEvent kEvent{{{"specversion", "1.0"},
                         {"id", "1"},
                         {"source", "/cam/1"},
                         {"type", "image.uploaded"},
                         {"subject", "cat.jpg"},
                         {"region", "eu"},
                         {"empty", ""}},
                        "data"};

bool matches(const Filter::Patterns& patterns) {
  const auto filter = Filter::make(patterns);
  EXPECT_TRUE(filter) << filter.error().message;
  return filter && filter->matches(to_fields(kEvent));
}

TEST(Filter, WithoutConditionsLetsEverythingThrough) {
  EXPECT_TRUE(Filter().matches(""));
  EXPECT_TRUE(matches({}));
}

TEST(Filter, ComparesAnAttributeWithAPattern) {
  for (const char* yes : {"image.uploaded", "image.*", "*.uploaded", "*load*", "*image.uploaded*", "*", "**",
                          "image.uploaded*", "!x", "!image", "!*x"})
    EXPECT_TRUE(matches({{"type", {yes}}})) << yes;
  for (const char* no : {"image", "uploaded", "Image.uploaded", "image.uploaded.*", "*.image", "*x*",
                         "!image.uploaded", "!image.*", "!*"})
    EXPECT_FALSE(matches({{"type", {no}}})) << no;
  // The text itself may stand only once where both ends are meant: nothing overlaps.
  EXPECT_FALSE(matches({{"id", {"11"}}}));
  EXPECT_TRUE(matches({{"empty", {"*"}}}));
}

TEST(Filter, AllAttributesHaveToMatch) {
  EXPECT_TRUE(matches({{"type", {"image.*"}}, {"source", {"/cam/1"}}, {"region", {"eu"}}}));
  EXPECT_FALSE(matches({{"type", {"image.*"}}, {"source", {"/cam/2"}}}));
}

TEST(Filter, OneOfSeveralPatternsIsEnoughAndNoneOfTheNegatedMayMatch) {
  EXPECT_TRUE(matches({{"type", {"video.*", "image.*"}}}));
  EXPECT_FALSE(matches({{"type", {"video.*", "audio.*"}}}));
  EXPECT_TRUE(matches({{"type", {"image.*", "!image.deleted"}}}));
  EXPECT_FALSE(matches({{"type", {"image.*", "!*uploaded"}}}));
  EXPECT_FALSE(matches({{"type", {"!*uploaded", "image.*"}}}));
  EXPECT_TRUE(matches({{"type", {"!video.*", "!audio.*"}}}));
  EXPECT_FALSE(matches({{"type", {"!video.*", "!image.*"}}}));
}

TEST(Filter, AnAttributeThatIsNotThereMatchesOnlyNegatedPatterns) {
  EXPECT_FALSE(matches({{"tenant", {"*"}}}));
  EXPECT_FALSE(matches({{"tenant", {"a"}}}));
  EXPECT_TRUE(matches({{"tenant", {"!a"}}}));
  EXPECT_TRUE(matches({{"tenant", {"!*"}}}));
  EXPECT_FALSE(matches({{"tenant", {"b", "!a"}}}));
}

TEST(Filter, WhatCannotBeOneSaysWhy) {
  for (const auto& [patterns, why] : std::vector<std::pair<Filter::Patterns, std::string>>{
           {{{"data", {"x"}}}, "'data' is not an attribute: a filter cannot look into the data"},
           {{{"Type", {"x"}}}, "'Type' cannot be an attribute"},
           {{{"my_own", {"x"}}}, "'my_own' cannot be an attribute"},
           {{{"", {"x"}}}, "'' cannot be an attribute"},
           {{{"type", {}}}, "'type' has no pattern"},
           {{{"type", {""}}}, "'type' has an empty pattern"},
           {{{"type", {"!"}}}, "'type' has an empty pattern"},
           {{{"type", {"!!x"}}}, "more than one '!'"},
           {{{"type", {"a*b"}}}, "a '*' in its middle"},
           {{{"type", {"***"}}}, "a '*' in its middle"},
           {{{"type", {"a\nb"}}}, "a control character"}}) {
    const auto filter = Filter::make(patterns);
    ASSERT_FALSE(filter) << why;
    EXPECT_EQ(filter.error().code, CloudEventsErrc::bad_filter);
    EXPECT_THAT(filter.error().message, HasSubstr(why));
  }
}

}  // namespace
}  // namespace mayfly::cloudevents
