#include "gateway/response_head.h"

#include <gtest/gtest.h>

#include <vector>

namespace mayfly::gateway {
namespace {

using namespace std::string_literals;

/// The answer's fields in order, without what every answer carries (date, invocation, timing); the framing
/// is returned. Fails the test if there is no head.
struct Written {
  std::string status_line;
  std::vector<std::string> fields;
  ResponseHead head;
};

ResponseFacts plain(std::string_view headers = {}) {
  ResponseFacts facts;
  facts.headers = headers;
  facts.invocation = "0123456789abcdef0123456789abcdef";
  facts.date = "Thu, 01 Jan 1970 00:00:00 GMT";
  return facts;
}

Written write(const ResponseFacts& facts) {
  std::string out;
  const auto head = append_response_head(out, facts);
  EXPECT_TRUE(head);
  Written written;
  if (!head) return written;
  written.head = *head;
  EXPECT_TRUE(out.ends_with("\r\n\r\n")) << out;
  std::string_view rest = std::string_view(out).substr(0, out.size() - 2);
  while (!rest.empty()) {
    const auto line = rest.substr(0, rest.find("\r\n"));
    rest.remove_prefix(line.size() + 2);
    EXPECT_EQ(line.find_first_of("\r\n"), line.npos);
    if (written.status_line.empty())
      written.status_line = line;
    else if (!line.starts_with("mayfly-invocation: ") && !line.starts_with("server-timing: ") &&
             line != "date: Thu, 01 Jan 1970 00:00:00 GMT")
      written.fields.emplace_back(line);
  }
  return written;
}

using Fields = std::vector<std::string>;

TEST(ResponseHead, CarriesWhatEveryAnswerMustCarry) {
  auto facts = plain();
  facts.whole_length = 0;
  facts.queue_us = 1'234;
  facts.start_us = 7;
  facts.run_us = -5;  // a clock that disagrees must not write a minus sign
  std::string out = "before";
  ASSERT_TRUE(append_response_head(out, facts));
  EXPECT_EQ(out,
            "beforeHTTP/1.1 200 OK\r\n"
            "content-length: 0\r\n"
            "date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
            "mayfly-invocation: 0123456789abcdef0123456789abcdef\r\n"
            "server-timing: queue;dur=1.234, start;dur=0.007, run;dur=0.000\r\n\r\n");
}

TEST(ResponseHead, StatusLines) {
  auto facts = plain();
  facts.whole_length = 0;
  facts.status = 404;
  EXPECT_EQ(write(facts).status_line, "HTTP/1.1 404 Not Found");
  facts.status = 599;
  EXPECT_TRUE(write(facts).status_line.starts_with("HTTP/1.1 599 "));
  for (const unsigned wrong : {0U, 100U, 101U, 199U, 600U, 999U}) {
    facts.status = wrong;
    std::string out = "kept";
    EXPECT_FALSE(append_response_head(out, facts)) << wrong;
    EXPECT_EQ(out, "kept");
  }
}

TEST(ResponseHead, FramesByLengthWhenItIsKnown) {
  const auto headers = "x-a\0001\0"s;
  auto facts = plain(headers);
  facts.whole_length = 12;
  auto written = write(facts);
  EXPECT_EQ(written.head.framing, Framing::length);
  EXPECT_EQ(written.head.length, 12U);
  EXPECT_EQ(written.fields, (Fields{"x-a: 1", "content-length: 12"}));

  const auto announced = "content-length\00099\0"s;  // streamed, and the function says how long it will be
  written = write(plain(announced));
  EXPECT_EQ(written.head.framing, Framing::length);
  EXPECT_EQ(written.head.length, 99U);
  EXPECT_EQ(written.fields, Fields{"content-length: 99"});
}

TEST(ResponseHead, TheWholeBodysLengthCountsMoreThanTheFunctionsWord) {
  const auto headers = "content-length\00099\0"s;
  auto facts = plain(headers);
  facts.whole_length = 3;
  const auto written = write(facts);
  EXPECT_EQ(written.head.length, 3U);
  EXPECT_EQ(written.fields, Fields{"content-length: 3"});
}

TEST(ResponseHead, FramesByChunksOrByTheEndOfTheConnection) {
  auto facts = plain();
  auto written = write(facts);
  EXPECT_EQ(written.head.framing, Framing::chunked);
  EXPECT_EQ(written.fields, Fields{"transfer-encoding: chunked"});
  facts.http_1_0 = true;
  written = write(facts);
  EXPECT_EQ(written.head.framing, Framing::until_close);
  EXPECT_EQ(written.fields, Fields{"connection: close"});
}

TEST(ResponseHead, SaysWhetherTheConnectionStays) {
  auto facts = plain();
  facts.whole_length = 1;
  EXPECT_EQ(write(facts).fields, Fields{"content-length: 1"});
  facts.keep_alive = false;
  EXPECT_EQ(write(facts).fields, (Fields{"content-length: 1", "connection: close"}));
  facts.http_1_0 = true;
  facts.keep_alive = true;
  EXPECT_EQ(write(facts).fields, (Fields{"content-length: 1", "connection: keep-alive"}));
}

TEST(ResponseHead, AnswersWithoutABody) {
  struct Case {
    const char* what;
    unsigned status;
    bool head_request;
    std::optional<std::uint64_t> whole;
    std::string headers;
    Fields fields;
  };
  const auto said = "content-length\0005\0"s;
  const std::vector<Case> cases{
      {"204 never has a length", 204, false, 0, said, {}},
      {"204 to HEAD", 204, true, 5, {}, {}},
      {"304 only what the function said", 304, false, 0, {}, {}},
      {"304 as the function said", 304, false, 0, said, {"content-length: 5"}},
      {"HEAD with a body names its length", 200, true, 5, {}, {"content-length: 5"}},
      {"HEAD without a body: unknown what GET has", 200, true, 0, {}, {}},
      {"HEAD as the function said", 200, true, 0, said, {"content-length: 5"}},
      {"HEAD to a stream", 200, true, std::nullopt, {}, {}},
  };
  for (const auto& c : cases) {
    auto facts = plain(c.headers);
    facts.status = c.status;
    facts.head_request = c.head_request;
    facts.whole_length = c.whole;
    const auto written = write(facts);
    EXPECT_EQ(written.head.framing, Framing::none) << c.what;
    EXPECT_EQ(written.fields, c.fields) << c.what;
  }
}

TEST(ResponseHead, KeepsRepeatedFieldsInOrderAndDropsThoseOfTheConnection) {
  const auto headers =
      "Set-Cookie\0a=1\0Connection\0upgrade\0set-cookie\0b=2\0Keep-Alive\0timeout=5\0transfer-"
      "encoding\0chunked\0"
      "Upgrade\0h2c\0te\0trailers\0trailer\0x\0proxy-connection\0close\0X-Empty\0\0"s;
  auto facts = plain(headers);
  facts.whole_length = 1;
  EXPECT_EQ(write(facts).fields,
            (Fields{"Set-Cookie: a=1", "set-cookie: b=2", "X-Empty: ", "content-length: 1"}));
}

TEST(ResponseHead, AFunctionsOwnDateTakesTheGatewaysPlace) {
  const auto headers = "Date\0Fri, 02 Jan 1970 00:00:00 GMT\0"s;
  auto facts = plain(headers);
  facts.whole_length = 1;
  std::string out;
  ASSERT_TRUE(append_response_head(out, facts));
  EXPECT_NE(out.find("Date: Fri"), out.npos);
  EXPECT_EQ(out.find("Thu, 01 Jan 1970"), out.npos);
}

TEST(ResponseHead, AFunctionCannotWriteIntoTheStreamOfAnswers) {
  const std::vector<std::string> bad{"x\0a\r\nset-cookie: evil\0"s,
                                     "x\0a\nb\0"s,
                                     "x\0a\rb\0"s,
                                     "x\0a\x7f\0"s,
                                     "x\0\x01\0"s,
                                     "\0value\0"s,
                                     "a b\0c\0"s,
                                     "a:\0c\0"s,
                                     "a\r\n\0c\0"s,
                                     "\xc3\xa4\0c\0"s,
                                     "content-length\0-1\0"s,
                                     "content-length\00012x\0"s,
                                     "content-length\0\0"s,
                                     "content-length\0005\0content-length\0006\0"s,
                                     "content-length\00099999999999999999999999\0"s};
  for (const auto& headers : bad) {
    std::string out = "kept";
    EXPECT_FALSE(append_response_head(out, plain(headers))) << testing::PrintToString(headers);
    EXPECT_EQ(out, "kept");
  }
}

TEST(ResponseHead, TabsAndHighBytesAreValidInValues) {
  const auto headers = "x\0a\tb\0y\0\xc3\xa4\0content-length\0005\0content-length\0005\0"s;
  EXPECT_EQ(write(plain(headers)).fields, (Fields{"x: a\tb", "y: \xc3\xa4", "content-length: 5"}));
}

TEST(ResponseHead, HeadersThatBreakOffAreNotReadBeyondTheirEnd) {
  const std::string_view cut("x\0abc", 5);  // no NUL at the end
  auto facts = plain(cut);
  facts.whole_length = 1;
  EXPECT_EQ(write(facts).fields, (Fields{"x: abc", "content-length: 1"}));
}

TEST(HttpDate, IsAnImfFixdate) {
  const std::string date(http_date());
  ASSERT_EQ(date.size(), 29U) << date;
  EXPECT_EQ(date.substr(3, 2), ", ");
  EXPECT_TRUE(date.ends_with(" GMT"));
}

}  // namespace
}  // namespace mayfly::gateway
