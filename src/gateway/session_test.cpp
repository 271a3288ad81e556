#include "gateway/session.h"

#include "gateway/session_test_support.h"

namespace mayfly::gateway {
namespace {

using namespace std::string_literals;
using pool::FakeInstance;
using wire::FrameType;

constexpr std::string_view kGet = "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n";

TEST_F(SessionTest, AnswersARequestAndKeepsTheConnection) {
  answers(200, "x-a\0b\0"s, "hello");
  connect();
  for (int i = 1; i <= 3; ++i) {
    send(kGet);
    auto got = answer();
    EXPECT_EQ(got.status, 200U);
    EXPECT_EQ(got.body, "hello");
    EXPECT_EQ(got.fields["x-a"], "b");
    EXPECT_EQ(got.fields["mayfly-invocation"], std::string(31, 'a') + std::to_string(i));
    EXPECT_FALSE(got.fields.contains("connection"));
  }
  EXPECT_EQ(routed, std::vector<std::string>(3, "GET h /hello"));
  EXPECT_EQ(sessions_ended, 0);
}

TEST_F(SessionTest, HandsTheRequestOverAsItCame) {
  answers(200, {}, {});
  connect();
  send(
      "PUT /a/b?c=d HTTP/1.1\r\nHost: h\r\nX-Two: 1\r\nx-two: 2\r\nConnection: keep-alive\r\nContent-Length: "
      "4\r\n\r\nbody");
  EXPECT_EQ(answer().status, 200U);
  EXPECT_EQ(invoked.method, "PUT");
  EXPECT_EQ(invoked.target, "/a/b?c=d");
  EXPECT_EQ(invoked.payload, "body");
  EXPECT_TRUE(invoked.ended());
  EXPECT_EQ(invoked.remote, "127.0.0.1");
  EXPECT_TRUE(invoked.headers.starts_with("host\0h\0x-two\0001\0x-two\0002\0content-length\0004\0"s))
      << testing::PrintToString(invoked.headers);
  EXPECT_EQ(invoked.headers.find("connection"), std::string::npos);
}

TEST_F(SessionTest, PipelinedRequestsAreAnsweredInOrder) {
  echoes();
  connect();
  std::string all;
  for (int i = 0; i < 50; ++i)
    all += "POST /" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
  send(all);
  for (int i = 0; i < 50; ++i) ASSERT_EQ(answer().body, "POST /" + std::to_string(i) + " abc");
}

TEST_F(SessionTest, TheTimeOfAPipelinedRequestBeginsWithItsTurn) {
  connect();
  send(std::string(kGet) + std::string(kGet));
  ASSERT_TRUE(until_frame(FrameType::invoke));
  const auto turn = std::chrono::steady_clock::now();
  frames.clear();
  bridge().respond(invoked.stream, 200, {}, "first");
  ASSERT_TRUE(until_frame(FrameType::invoke));
  EXPECT_GE(invoked.deadline, to_wire(turn + somewhere.timeout));
}

TEST_F(SessionTest, FieldsOfTheHostsStandInTheAnswerTheyAreFor) {
  echoes();
  connect();
  on_route = [](RequestHead&, Destination& destination) {
    destination.answer_fields = "ratelimit\0\"a\";r=1\0"s;
  };
  send(kGet);
  EXPECT_EQ(answer().fields["ratelimit"], "\"a\";r=1");
  on_route = nullptr;
  send(kGet);
  EXPECT_FALSE(answer().fields.contains("ratelimit"));
}

TEST_F(SessionTest, ARefusalSaysWhatTheHostWantsKnownAndKeepsTheConnection) {
  connect();
  route_error = Error{GatewayErrc::draining, "no", {}}
                    .with("www-authenticate", "Bearer realm=\"x\"")
                    .with("retry-after", "7");
  send(kGet);
  auto refused = answer();
  EXPECT_EQ(refused.fields["www-authenticate"], "Bearer realm=\"x\"");
  EXPECT_EQ(refused.fields["retry-after"], "7");
  EXPECT_EQ(refused.body.find("www-authenticate"), std::string::npos);
  route_error.reset();
  echoes();
  send(kGet);
  EXPECT_EQ(answer().status, 200U);
}

TEST_F(SessionTest, ARequestMayComeByteByByte) {
  echoes();
  connect();
  const std::string request =
      "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: "
      "u\r\n\r\n";
  for (const char c : request) {
    send({&c, 1});
    loop.settle();
  }
  EXPECT_EQ(answer().body, "POST /x abcde");
  send(kGet);
  EXPECT_EQ(answer().body, "GET /hello ");
}

TEST_F(SessionTest, LargeBodiesGoBothWaysUnderBackPressure) {
  echoes();
  connect();
  const std::string body(900'000, 'x');  // beyond the window and every buffer
  for (const bool chunked : {false, true}) {
    if (chunked) {
      send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
      for (std::size_t at = 0; at < body.size(); at += 90'000)
        send("15f90\r\n" + body.substr(at, 90'000) + "\r\n");
      send("0\r\n\r\n");
    } else {
      send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 900000\r\n\r\n" + body);
    }
    EXPECT_TRUE(answer().body == "POST / " + body) << chunked;
  }
}

TEST_F(SessionTest, TakesNoMoreOfABodyThanTheHandlerHasRoomFor) {
  handler = [](FakeInstance&, FakeInstance::Got&) {};  // takes the request and reads nothing of it
  connect();
  send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 900000\r\n\r\n");
  ASSERT_TRUE(until_frame(FrameType::invoke));
  std::string_view more;
  const std::string body(900'000, 'x');
  more = body;
  // What fits into sockets and buffers goes; then it stops.
  for (int quiet = 0; quiet < 100 && !more.empty();) {
    const ssize_t sent = ::send(client.get(), more.data(), more.size(), MSG_NOSIGNAL);
    if (sent > 0) more.remove_prefix(static_cast<std::size_t>(sent));
    quiet = sent > 0 ? 0 : quiet + 1;
    loop.settle();
  }
  std::size_t passed_on = 0;
  for (const auto& frame : frames) passed_on += frame.payload.size();
  EXPECT_LE(passed_on, wire::kWindow);
  EXPECT_GT(passed_on, wire::kWindow / 2);
}

TEST_F(SessionTest, AStreamedAnswerIsChunkedAndCreditedAsItIsTaken) {
  connect();
  send(kGet);
  ASSERT_TRUE(until_frame(FrameType::invoke));
  const auto stream = invoked.stream;
  bridge().respond(stream, 200, {}, "one", 0);
  ASSERT_TRUE(until_text("3\r\none\r\n"));
  EXPECT_NE(input.find("transfer-encoding: chunked\r\n"), std::string::npos);
  ASSERT_TRUE(until_frame(FrameType::credit));
  EXPECT_EQ(frames.back().aux, 3U);
  bridge().body(stream, "second");
  ASSERT_TRUE(until_text("6\r\nsecond\r\n"));
  EXPECT_EQ(input.find("\r\n0\r\n\r\n"), std::string::npos);
  bridge().body(stream, "", true);
  bridge().tell(FrameType::done, stream);
  ASSERT_TRUE(until_text("\r\n0\r\n\r\n"));
  input.clear();
  answers(200, {}, "next");
  send(kGet);
  EXPECT_EQ(answer().body, "next");
}

TEST_F(SessionTest, AClientThatDoesNotReadHoldsTheHandlerUp) {
  connect();
  send(kGet);
  ASSERT_TRUE(until_frame(FrameType::invoke));
  const std::string part(wire::kMaxChunk, 'x');
  std::size_t allowed = wire::kWindow, sent = 0;
  std::size_t seen = frames.size();
  // The handler sends as long as it has credit, and the client reads nothing.
  for (int quiet = 0; quiet < 100 && sent < (64U << 20U);) {
    const bool may = allowed >= part.size();
    if (may) {
      sent == 0 ? bridge().respond(invoked.stream, 200, {}, part, 0) : bridge().body(invoked.stream, part);
      sent += part.size();
      allowed -= part.size();
    }
    loop.settle();
    for (; seen < frames.size(); ++seen) allowed += frames[seen].aux;
    quiet = may ? 0 : quiet + 1;
  }
  EXPECT_LT(sent, 64U << 20U) << "without back-pressure it would send for ever";
  // Once the client reads, it goes on.
  ASSERT_TRUE(loop.until([&] {
    take();
    input.clear();
    for (; seen < frames.size(); ++seen) allowed += frames[seen].aux;
    return allowed == wire::kWindow;
  }));
}

TEST_F(SessionTest, HeadNoContentAndNotModifiedHaveNoBody) {
  connect();
  answers(200, {}, "hello");
  send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
  auto got = answer(true);
  EXPECT_EQ(got.fields["content-length"], "5");
  for (const unsigned status : {204U, 304U}) {
    answers(status, {}, "not to be sent");
    send(kGet);
    got = answer(true);
    EXPECT_EQ(got.status, status);
    EXPECT_FALSE(got.fields.contains("content-length"));
  }
  answers(200, {}, "after");
  send(kGet);
  EXPECT_EQ(answer().body, "after") << "nothing was left between the answers";
}

TEST_F(SessionTest, AStreamedAnswerToHeadEndsWithoutABody) {
  connect();
  send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"s + std::string(kGet));
  ASSERT_TRUE(until_frame(FrameType::invoke));
  bridge().respond(invoked.stream, 200, {}, "part", 0);
  ASSERT_TRUE(until_frame(FrameType::credit)) << "the handler must not wait for a reader that never comes";
  bridge().body(invoked.stream, "rest", true);
  bridge().tell(FrameType::done, invoked.stream);
  answer(true);
  ASSERT_TRUE(loop.until([&] { return invoked.method == "GET"; }));
  bridge().respond(invoked.stream, 200, {}, "get");
  EXPECT_EQ(answer().body, "get");
}

TEST_F(SessionTest, SaysContinueToWhoAsksForIt) {
  echoes();
  connect();
  send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  ASSERT_TRUE(until_text("HTTP/1.1 100 Continue\r\n\r\n"));
  input.clear();
  send("abc");
  EXPECT_EQ(answer().body, "POST / abc");
  send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc");
  auto got = answer();
  if (got.status == 100) got = answer();
  EXPECT_EQ(got.body, "POST / abc");
}

TEST_F(SessionTest, ClosesWhenTheClientAsksForIt) {
  answers(200, {}, "bye");
  connect();
  send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  auto got = answer();
  EXPECT_EQ(got.body, "bye");
  EXPECT_EQ(got.fields["connection"], "close");
  ASSERT_TRUE(until_closed());
  ASSERT_TRUE(loop.until([&] { return sessions_ended == 1; }));
}

TEST_F(SessionTest, ServesOldClientsTheirWay) {
  answers(200, {}, "1.0");
  connect();
  send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  auto got = answer();
  EXPECT_EQ(got.body, "1.0");
  EXPECT_EQ(got.fields["connection"], "keep-alive");
  handler = {};
  frames.clear();
  send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  ASSERT_TRUE(until_frame(FrameType::invoke));
  bridge().respond(invoked.stream, 200, {}, "no ", 0);
  bridge().body(invoked.stream, "length", true);
  ASSERT_TRUE(until_closed());
  EXPECT_TRUE(input.ends_with("\r\n\r\nno length")) << input;
  EXPECT_EQ(input.find("chunked"), std::string::npos);
}

TEST_F(SessionTest, TheTraceGoesOnWithANewSpanOrBegins) {
  answers(200, {}, {});
  connect();
  const auto trace_of = [&](const std::string& field) {
    send("GET / HTTP/1.1\r\nHost: h\r\n" + field + "\r\n");
    answer();
    const auto at = invoked.headers.find("traceparent\0"s);
    return at == std::string::npos ? "" : std::string(invoked.headers.c_str() + at + 12);
  };
  const auto trace = std::string(32, 'b');
  auto got = trace_of("traceparent: 00-" + trace + "-00f067aa0ba902b7-01\r\n");
  EXPECT_EQ(got, "00-" + trace + "-" + invoked.id.substr(16) + "-01");
  for (const char* none : {"", "traceparent:\r\n", "traceparent: nonsense\r\n",
                           "traceparent: 00-00000000000000000000000000000000-00f067aa0ba902b7-01\r\n",
                           "traceparent: ff-bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-00f067aa0ba902b7-01\r\n"}) {
    got = trace_of(none);
    EXPECT_EQ(got, "00-" + invoked.id + "-" + invoked.id.substr(16) + "-01") << none;
  }
}

TEST_F(SessionTest, AHeaderMayComeInAnyTwoPieces) {
  echoes();
  connect();
  const std::string request = "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
  for (std::size_t cut = 1; cut < request.size(); ++cut) {
    send(request.substr(0, cut));
    loop.settle();
    send(request.substr(cut));
    ASSERT_EQ(answer().body, "POST /x abc") << "cut after " << cut << " bytes";
  }
}

TEST_F(SessionTest, AHeaderMayBeLargerThanWhatIsReadAtOnce) {
  echoes();
  connect();
  send("GET /x HTTP/1.1\r\nHost: h\r\nX: " + std::string(30'000, 'x') + "\r\n\r\n");
  EXPECT_EQ(answer().body, "GET /x ");
}

TEST_F(SessionTest, MovesWithTheWholeHeaderHoweverItCame) {
  const std::string request = "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
  other_shard = true;
  for (const std::size_t cut : {5U, 18U, 22U, 40U}) {
    moved.clear();
    connect();
    send(request.substr(0, cut));
    loop.settle();
    send(request.substr(cut));
    ASSERT_TRUE(loop.until([&] { return moved.size() == 1; }));
    EXPECT_EQ(moved[0].bytes, request) << cut;
  }
}

TEST_F(SessionTest, GoesToAnotherShardWithAllThatWasRead) {
  connect();
  other_shard = true;
  somewhere.shard = 3;
  const auto two = std::string(kGet) + std::string(kGet);
  send(two);
  ASSERT_TRUE(loop.until([&] { return moved.size() == 1; }));
  EXPECT_EQ(moved_to, 3U);
  EXPECT_EQ(moved[0].bytes, two);
  EXPECT_EQ(sessions_ended, 1);
  loop.settle();
  take();
  EXPECT_FALSE(closed) << "the connection itself stays open";
  // The other shard goes on where this one stopped.
  other_shard = false;
  answers(200, {}, "moved");
  auto session =
      std::make_unique<Session>(std::move(moved[0].socket), *this, loop.reactor, loop.deadlines, options);
  Session& arrived = *session;
  sessions.emplace(&arrived, std::move(session));
  arrived.start(std::move(moved[0].bytes));
  EXPECT_EQ(answer().body, "moved");
  EXPECT_EQ(answer().body, "moved");
  send(kGet);
  EXPECT_EQ(answer().body, "moved");
}

TEST_F(SessionTest, MovesInTheMiddleOfAPipelineOnlyWhenItIsThatRequestsTurn) {
  answers(200, {}, "here");
  connect();
  send(kGet);
  EXPECT_EQ(answer().body, "here");
  handler = {};
  frames.clear();
  const std::string second = "POST /other HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n12";
  send(std::string(kGet) + second);
  ASSERT_TRUE(until_frame(FrameType::invoke));
  loop.settle();
  EXPECT_TRUE(moved.empty());
  other_shard = true;
  bridge().respond(invoked.stream, 200, {}, "still here");
  EXPECT_EQ(answer().body, "still here");
  ASSERT_TRUE(loop.until([&] { return moved.size() == 1; }));
  EXPECT_EQ(moved[0].bytes, second);
}

}  // namespace
}  // namespace mayfly::gateway
