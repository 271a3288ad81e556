#include "registry/requirement_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mayfly::registry {
namespace {

using Kind = RequirementLine::Kind;
using testing::ElementsAre;

TEST(RequirementLine, WhatPeopleWriteIsPlain) {
  for (const char* line :
       {"six", "six==1.16.0", "Flask >= 3, < 4", "uvicorn[standard]~=0.30", "torch==2.0+cpu", "a.b-c_d!=1.*",
        "six (>=1.0)", "importlib-metadata ; python_version < \"3.8\" and sys_platform != 'win32'",
        "six==1.16.0 --hash=sha256:1e61c37477a1626458e36f7b1d82aa5c9b094fa4802892072e49de9c60c4c926 "
        "--hash=sha256:8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254"})
    EXPECT_EQ(read_requirement_line(line).kind, Kind::plain) << line;
  for (const char* line : {"", "--pre", "--require-hashes", "--prefer-binary", "--only-binary :all:"})
    EXPECT_EQ(read_requirement_line(line).kind, Kind::nothing) << line;
}

TEST(RequirementLine, OneThatIncludesNamesItsFile) {
  for (const char* line : {"-r more.txt", "-rmore.txt", "--requirement more.txt", "--requirement=more.txt",
                           "-c more.txt", "--constraint\tmore.txt"}) {
    EXPECT_EQ(read_requirement_line(line).kind, Kind::include) << line;
    EXPECT_EQ(read_requirement_line(line).file, "more.txt") << line;
  }
  EXPECT_EQ(read_requirement_line("-r https://example.org/more.txt").kind, Kind::remote);
  EXPECT_EQ(read_requirement_line("-r more.txt --no-binary :all:").kind, Kind::local);
}

TEST(RequirementLine, ALongOneIsNotLookedAt) {
  EXPECT_EQ(read_requirement_line(std::string(1'000'000, 'a')).kind, Kind::local);
}

TEST(RequirementLines, AreJoinedAndHaveNoComments) {
  EXPECT_THAT(requirement_lines("six \\\n  ==1\n# no\nflask # yes\r\n\n  a#b\n").value(),
              ElementsAre("six   ==1", "flask", "a#b"));
  EXPECT_THAT(requirement_lines("six \\").value(), ElementsAre("six"));
  EXPECT_THAT(requirement_lines("# \xc3\xa4 \\\nsix").value(), ElementsAre("six"));
}

}  // namespace
}  // namespace mayfly::registry
