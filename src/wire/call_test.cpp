#include "wire/call.h"

#include <gtest/gtest.h>

namespace mayfly::wire {
namespace {

constexpr std::string_view kHeaders("host\0a\0x-b\0c d\0", 15);

CallHead good() { return {CallKind::invoke, 7, "resize", "POST", "/a?b=c", kHeaders}; }

TEST(CallHead, SurvivesTheTrip) {
  std::string payload;
  append_call_head(payload, good());
  payload += "body";
  std::string_view rest;
  const auto head = parse_call_head({FrameType::call, kEnd, 9, 1, payload}, rest);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->kind, CallKind::invoke);
  EXPECT_EQ(head->caller, 7U);
  EXPECT_EQ(head->name, "resize");
  EXPECT_EQ(head->method, "POST");
  EXPECT_EQ(head->target, "/a?b=c");
  EXPECT_EQ(head->headers, kHeaders);
  EXPECT_EQ(rest, "body");
  EXPECT_EQ(problem_with(*head), "");
}

TEST(CallHead, IsRefusedWhenItEndsEarlyOrIsOfNoKind) {
  std::string payload;
  append_call_head(payload, good());
  std::string_view rest;
  for (std::size_t length = 0; length < payload.size(); ++length)
    EXPECT_FALSE(
        parse_call_head({FrameType::call, 0, 9, 1, std::string_view(payload).substr(0, length)}, rest))
        << length;
  EXPECT_FALSE(parse_call_head({FrameType::call, 0, 9, 0, payload}, rest));
  EXPECT_FALSE(parse_call_head({FrameType::call, 0, 9, 4, payload}, rest));
  EXPECT_TRUE(parse_call_head({FrameType::call, 0, 9, 3, payload}, rest));
}

TEST(CallHead, HasToBeHttp) {
  const auto problem = [](auto change) {
    CallHead head = good();
    change(head);
    return !problem_with(head).empty();
  };
  EXPECT_FALSE(problem([](CallHead&) {}));
  EXPECT_TRUE(problem([](CallHead& head) { head.method = ""; }));
  EXPECT_TRUE(problem([](CallHead& head) { head.method = "GET /"; }));
  for (const std::string_view target : {"", "a", "/a b", "/a\r\nx: y", "/a#b", "http://other/"})
    EXPECT_TRUE(problem([&](CallHead& head) { head.target = target; })) << target;
  using namespace std::string_view_literals;
  for (const auto headers :
       {"a"sv, "a\0b"sv, "a\0b\0c\0"sv, "A\0b\0"sv, "a b\0c\0"sv, "\0b\0"sv, "a\0b\r\nc: d\0"sv})
    EXPECT_TRUE(problem([&](CallHead& head) { head.headers = headers; })) << headers;
  const std::string long_value = "a" + std::string(1, '\0') + std::string(kMaxCallHeaders, 'x') + '\0';
  EXPECT_TRUE(problem([&](CallHead& head) { head.headers = long_value; }));
  const std::string long_target(kMaxCallTarget + 1, '/');
  EXPECT_TRUE(problem([&](CallHead& head) { head.target = long_target; }));
}

TEST(CallError, SurvivesTheTripWithoutItsZeroBytes) {
  std::string payload;
  CallErrorWriter writer(payload, "urn:mayfly:call:depth", std::string_view("too\0deep", 8));
  writer.detail("limit", "16");
  const auto error = parse_call_error(payload);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->type, "urn:mayfly:call:depth");
  EXPECT_EQ(error->message, "toodeep");
  EXPECT_EQ(error->details, std::string_view("limit\00016\0", 9));
  EXPECT_FALSE(parse_call_error(payload.substr(0, payload.size() - 1)));
  EXPECT_FALSE(parse_call_error("no end"));
  EXPECT_FALSE(parse_call_error(""));
}

}  // namespace
}  // namespace mayfly::wire
