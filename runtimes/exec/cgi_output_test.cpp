#include "exec/cgi_output.h"

#include <gtest/gtest.h>

namespace mayfly::exec {
namespace {

using State = CgiOutput::State;
constexpr std::string_view kText{"content-type\0text/plain; charset=utf-8\0", 39};

TEST(CgiOutput, AHeaderBlockMayComeInSinglePieces) {
  constexpr std::string_view kOutput = "X-One: 1\r\nContent-Type: a/b\r\nStatus: 404 Not Found\r\n\r\nbody";
  CgiOutput output;
  for (const char c : kOutput.substr(0, kOutput.size() - 5))
    EXPECT_EQ(output.take({&c, 1}, false), State::undecided);
  EXPECT_EQ(output.take("\nbody", false), State::decided);
  EXPECT_EQ(output.status(), 404U);
  EXPECT_EQ(output.headers(), std::string_view("x-one\0001\0content-type\0a/b\0", 25));
  EXPECT_EQ(output.body(), "body");
}

TEST(CgiOutput, WhatCannotBecomeAFieldIsNotWaitedFor) {
  for (const char* text : {"hello world", "{\"a\":", "<p>", "\xff\xfe", "a\n", "Note: x\nmore of it\n"}) {
    CgiOutput output;
    EXPECT_EQ(output.take(text, false), State::decided) << text;
    EXPECT_EQ(output.body(), text);
  }
}

TEST(CgiOutput, WhatMayBecomeAFieldIsDecidedAtTheEnd) {
  for (const char* text : {"hello", "Note: x", "Note: x\n", "Status", "Content-Type: a/b"}) {
    CgiOutput output;
    EXPECT_EQ(output.take(text, false), State::undecided) << text;
    EXPECT_EQ(output.take({}, true), State::decided) << text;
    EXPECT_EQ(output.headers(), kText);
  }
}

TEST(CgiOutput, FieldsThatAreNoneOfCgiBeginNoHeader) {
  CgiOutput output;
  EXPECT_EQ(output.take("Dear: reader\n\nyours", false), State::decided);
  EXPECT_EQ(output.body(), "Dear: reader\n\nyours");
  EXPECT_EQ(output.status(), 200U);
}

TEST(CgiOutput, AfterAFieldOfCgiAMistakeIsSaid) {
  for (const char* text :
       {"Content-Type: a/b\nno field\n\n", "Status: 200\nX: a\rb\n\n", "Location: /x\n: empty\n\n",
        "Content-Type: a/b\nStatus: 99\n\n", "Status: 200\nX-A : b\n\n"}) {
    CgiOutput output;
    EXPECT_EQ(output.take(text, true), State::wrong) << text;
    EXPECT_NE(output.mistake(), "");
  }
}

TEST(CgiOutput, AFirstLineThatCanBeNothingButAHeadersIsNoText) {
  for (const char* text :
       {"Status: 9999\n\nx", "Status: 99999999999999\n\nx", "Status: 0", "Content-Type: a/b\rX: 1\n\nx",
        "Content-Type: a/b\r\rbody", "Location: /a\001b\n\n"}) {
    CgiOutput output;
    EXPECT_EQ(output.take(text, true), State::wrong) << text;
    EXPECT_NE(output.mistake(), "");
  }
  for (const char* text :
       {"Status: fine\n\nx", "Status: 3 of 4 done\n", "Note: a\rb\n\nx", "Content-Type:\n\nx"}) {
    CgiOutput output;
    EXPECT_EQ(output.take(text, true), State::decided) << text;
    EXPECT_EQ(output.body(), text);
  }
}

TEST(CgiOutput, AHeaderHasAnEndAndALimit) {
  CgiOutput cut;
  EXPECT_EQ(cut.take("Content-Type: a/b\n", true), State::wrong);
  CgiOutput endless;
  State state = endless.take("Content-Type: a/b\n", false);
  for (int i = 0; i < 10'000 && state == State::undecided; ++i)
    state = endless.take("X-Field: 1234567890\n", false);
  EXPECT_EQ(state, State::wrong);
}

TEST(CgiOutput, ALetterThatIsCutInTwoIsText) {
  CgiOutput output;
  EXPECT_EQ(output.take("gr \xc3", false), State::decided);
  EXPECT_EQ(output.headers(), kText);
  CgiOutput ended;
  EXPECT_EQ(ended.take("gr \xc3", true), State::decided);
  EXPECT_NE(ended.headers(), kText);
}

}  // namespace
}  // namespace mayfly::exec
