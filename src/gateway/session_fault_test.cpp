// What goes wrong on a connection: bad requests, limits, handlers that fail, clients that leave, the end.
#include <sys/wait.h>

#include "gateway/session_test_support.h"

namespace mayfly::gateway {
namespace {

using namespace std::string_literals;
using namespace std::chrono_literals;
using pool::FakeInstance;
using wire::FrameType;

constexpr std::string_view kGet = "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n";

bool names(const Answer& answer, std::string_view type) {
  return answer.body.find("urn:mayfly:" + std::string(type)) != std::string::npos;
}

TEST_F(SessionTest, WhatIsNotHttpIsRefusedAndTheConnectionEnds) {
  for (const char* wrong : {"nonsense\r\n\r\n", "GET / HTTP/1.1\r\nHost : h\r\n\r\n",
                            "\x16\x03\x01\x02\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"}) {
    connect();
    send(wrong);
    auto got = answer();
    EXPECT_EQ(got.status, 400U) << wrong;
    EXPECT_TRUE(names(got, "gateway:bad-request")) << got.body;
    EXPECT_EQ(got.fields["content-type"], "application/problem+json");
    EXPECT_EQ(got.fields["connection"], "close");
    EXPECT_TRUE(until_closed());
  }
  EXPECT_TRUE(routed.empty());
}

TEST_F(SessionTest, AHeaderThatIsTooLargeNamesTheLimit) {
  options.max_header = 1000;
  connect();
  send("GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(2000, 'x') + "\r\n\r\n");
  auto got = answer();
  EXPECT_EQ(got.status, 431U);
  EXPECT_NE(got.body.find("\"1000\""), std::string::npos) << got.body;
  EXPECT_TRUE(until_closed());
}

TEST_F(SessionTest, AHeaderThatTakesTooLongIsGivenUp) {
  options.header_timeout = 20ms;
  connect();
  send("GET / HTTP/1.1\r\nHost:");
  auto got = answer();
  EXPECT_EQ(got.status, 408U);
  EXPECT_TRUE(names(got, "gateway:header-timeout"));
  EXPECT_TRUE(until_closed());
}

TEST_F(SessionTest, BytesThatTrickleInDoNotExtendTheTimeForAHeader) {
  options.header_timeout = 50ms;
  connect();
  ASSERT_TRUE(loop.until([&] {  // one byte a turn, for ever
    (void)::send(client.get(), "x", 1, MSG_NOSIGNAL);
    take();
    return !input.empty();
  }));
  EXPECT_EQ(answer().status, 408U);
}

TEST_F(SessionTest, AnIdleConnectionIsClosedWithoutAWord) {
  options.idle_timeout = 20ms;
  connect();
  EXPECT_TRUE(until_closed());
  EXPECT_TRUE(input.empty());
}

TEST_F(SessionTest, ARequestMayTakeLongerThanAConnectionMayIdle) {
  options.idle_timeout = 10ms;
  connect();
  send(kGet);
  ASSERT_TRUE(until_frame(FrameType::invoke));
  const auto end = std::chrono::steady_clock::now() + 50ms;
  ASSERT_TRUE(loop.until([&] { return std::chrono::steady_clock::now() > end; }));
  bridge().respond(invoked.stream, 200, {}, "at last");
  EXPECT_EQ(answer().body, "at last");
  EXPECT_TRUE(until_closed()) << "now it idles";
}

TEST_F(SessionTest, ABodyThatIsAnnouncedTooLargeNeverReachesTheHandler) {
  const auto refusals = somewhere.refusals = std::make_shared<Refusals>();
  somewhere.max_request = 100;
  connect();
  send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 101\r\n\r\n");
  auto got = answer();
  EXPECT_EQ(got.status, 413U);
  EXPECT_NE(got.body.find("larger than max_request, 100B"), std::string::npos) << got.body;
  EXPECT_EQ(refusals->by_reason[GatewayErrc::body_too_large], 1U);
  loop.settle();
  EXPECT_TRUE(frames.empty());
  EXPECT_TRUE(until_closed());
}

TEST_F(SessionTest, ABodyThatGrowsTooLargeAbortsTheHandler) {
  const auto refusals = somewhere.refusals = std::make_shared<Refusals>();
  somewhere.max_request = 100;
  connect();
  send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n" + std::string(64, 'x') +
       "\r\n");
  ASSERT_TRUE(until_frame(FrameType::invoke));
  send("40\r\n" + std::string(64, 'x') + "\r\n");
  EXPECT_EQ(answer().status, 413U);
  EXPECT_EQ(refusals->by_reason[GatewayErrc::body_too_large], 1U);
  EXPECT_TRUE(until_frame(FrameType::abort));
}

TEST_F(SessionTest, ALimitOfMayflysOwnIsNobodysSetting) {
  somewhere.max_request = 100;
  somewhere.max_request_name = {};
  connect();
  send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 101\r\n\r\n");
  EXPECT_NE(answer().body.find("larger than 100B"), std::string::npos);
}

TEST_F(SessionTest, ABodyAtTheLimitIsFine) {
  somewhere.max_request = 100;
  echoes();
  connect();
  send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n" + std::string(100, 'x') +
       "\r\n0\r\n\r\n");
  EXPECT_EQ(answer().status, 200U);
}

TEST_F(SessionTest, BrokenChunksAreABadRequestAndAbortTheHandler) {
  connect();
  send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
  ASSERT_TRUE(until_frame(FrameType::invoke));
  send("not a length\r\n\r\n");
  auto got = answer();
  EXPECT_EQ(got.status, 400U);
  EXPECT_TRUE(until_frame(FrameType::abort));
  EXPECT_TRUE(until_closed());
}

TEST_F(SessionTest, ARouteThatDoesNotExistIsAnErrorAndTheConnectionStays) {
  route_error = Error{router::RouterErrc::method_not_allowed, "no", {{"allow", "GET, HEAD"}}};
  connect();
  send(kGet);
  auto got = answer();
  EXPECT_EQ(got.status, 405U);
  EXPECT_EQ(got.fields["allow"], "GET, HEAD");
  route_error = Error{router::RouterErrc::unknown_function, "no", {}};
  send(kGet);
  EXPECT_EQ(answer().status, 404U);
  route_error.reset();
  answers(200, {}, "found");
  send(kGet);
  EXPECT_EQ(answer().body, "found");
}

TEST_F(SessionTest, AnErrorBeforeTheBodysEndTakesTheRestAndCloses) {
  route_error = Error{router::RouterErrc::unknown_function, "no", {}};
  connect();
  send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nab");
  auto got = answer();
  EXPECT_EQ(got.status, 404U);
  EXPECT_EQ(got.fields["connection"], "close");
  send(std::string(99'998, 'x'));  // must not be met by a reset, which could destroy the answer
  EXPECT_TRUE(until_closed());
  EXPECT_EQ(routed.size(), 1U) << "the body was not taken for requests";
}

TEST_F(SessionTest, AHandlerThatFailsIsAnAnswerAndNothingOfItIsTold) {
  connect();
  handler = [](FakeInstance& from, FakeInstance::Got& got) {
    from.tell(FrameType::error, got.stream, 1, "Error: secret\0at secret.js"s);
    from.tell(FrameType::done, got.stream);
  };
  send(kGet);
  auto got = answer();
  EXPECT_EQ(got.status, 500U);
  EXPECT_TRUE(names(got, "pool:handler-threw"));
  EXPECT_EQ(got.body.find("secret"), std::string::npos);
  answers(200, {}, "again");
  send(kGet);
  EXPECT_EQ(answer().body, "again");
}

TEST_F(SessionTest, AnInstanceThatDiesIsAnAnswer) {
  connect();
  send(kGet);
  ASSERT_TRUE(until_frame(FrameType::invoke));
  bridge().die(W_EXITCODE(3, 0));
  auto got = answer();
  EXPECT_EQ(got.status, 502U);
  EXPECT_TRUE(names(got, "pool:instance-exited"));
}

TEST_F(SessionTest, AnOverloadSaysWhenToComeBack) {
  version->config.max_instances = 1;
  version->config.concurrency = 1;
  version->config.queue = 0;
  connect();
  send(kGet);
  ASSERT_TRUE(until_frame(FrameType::invoke));
  const Fd first = std::move(client);
  connect();
  send(kGet);
  auto got = answer();
  EXPECT_EQ(got.status, 503U);
  EXPECT_EQ(got.fields["retry-after"], "1");
}

TEST_F(SessionTest, ADeadlineThatPassesIsAnAnswer) {
  somewhere.timeout = 10ms;
  connect();
  send(kGet);
  auto got = answer();
  EXPECT_EQ(got.status, 504U);
  EXPECT_TRUE(names(got, "scheduler:deadline-exceeded"));
}

TEST_F(SessionTest, AnAnswerThatBreaksOffIsVisiblyCut) {
  for (const bool announced : {false, true}) {
    frames.clear();
    connect();
    send(kGet);
    ASSERT_TRUE(until_frame(FrameType::invoke));
    bridge().respond(invoked.stream, 200, announced ? "content-length\000100\0"s : ""s, "half", 0);
    ASSERT_TRUE(until_text("half"));
    bridge().tell(FrameType::error, invoked.stream, 2, "broke");
    bridge().tell(FrameType::done, invoked.stream);
    EXPECT_TRUE(until_closed());
    EXPECT_EQ(input.find("\r\n0\r\n\r\n"), std::string::npos) << "no end of a chunked body";
    EXPECT_EQ(input.find("HTTP/1.1", 1), std::string::npos) << "no second head";
  }
}

TEST_F(SessionTest, AnAnswerShorterOrLongerThanItsLengthIsVisiblyCut) {
  for (const char* body : {"12", "123456"}) {
    frames.clear();
    connect();
    send(kGet);
    ASSERT_TRUE(until_frame(FrameType::invoke));
    bridge().respond(invoked.stream, 200, "content-length\0004\0"s, {}, 0);
    bridge().body(invoked.stream, body, true);
    bridge().tell(FrameType::done, invoked.stream);
    EXPECT_TRUE(until_closed());
    EXPECT_TRUE(input.ends_with("\r\n\r\n" + std::string(body).substr(0, 4))) << input;
  }
}

TEST_F(SessionTest, AnAnswerThatIsNotHttpBecomesAnError) {
  connect();
  for (const auto& headers : {"bad name\0x\0"s, "x\0a\r\nset-cookie: evil\0"s}) {
    answers(200, headers, "body");
    send(kGet);
    auto got = answer();
    EXPECT_EQ(got.status, 502U);
    EXPECT_TRUE(names(got, "gateway:bad-answer"));
  }
  answers(200, {}, "good");
  send(kGet);
  EXPECT_EQ(answer().body, "good");
}

TEST_F(SessionTest, AClientThatLeavesAbortsTheHandler) {
  connect();
  send(kGet);
  ASSERT_TRUE(until_frame(FrameType::invoke));
  client.reset();
  ASSERT_TRUE(until_frame(FrameType::abort));
  EXPECT_EQ(frames.back().aux, static_cast<std::uint32_t>(wire::AbortReason::client));
  ASSERT_TRUE(loop.until([&] { return sessions_ended == 1; }));
  bridge().respond(invoked.stream, 200, {}, "to nobody");
  loop.settle();
  EXPECT_EQ(stats->cancelled.get(), 1U);
}

TEST_F(SessionTest, AClientThatLeavesWhileItWaitsIsForgotten) {
  runtime.serves = false;
  connect();
  send(kGet);
  ASSERT_TRUE(loop.until([&] { return scheduler && scheduler->waiting() == 1; }));
  client.reset();
  ASSERT_TRUE(loop.until([&] { return sessions_ended == 1; }));
  EXPECT_EQ(scheduler->waiting(), 0U);
}

TEST_F(SessionTest, AnAnswerMayComeBeforeTheRequestsEnd) {
  connect();
  send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12");
  ASSERT_TRUE(until_frame(FrameType::invoke));
  bridge().respond(invoked.stream, 200, {}, "enough");
  auto got = answer();
  EXPECT_EQ(got.body, "enough");
  EXPECT_EQ(got.fields["connection"], "close");
  EXPECT_TRUE(until_closed());
}

TEST_F(SessionTest, WhatFollowsAStreamedAnswerIsTheRestOfTheBodyAndNoRequest) {
  connect();
  send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n12");
  ASSERT_TRUE(until_frame(FrameType::invoke));
  bridge().respond(invoked.stream, 200, {}, "enough", 0);
  bridge().body(invoked.stream, "!", true);
  ASSERT_TRUE(until_text("0\r\n\r\n"));
  send(kGet);
  EXPECT_TRUE(until_closed());
  EXPECT_EQ(routed.size(), 1U) << "smuggled";
}

TEST_F(SessionTest, AClientThatTakesNothingOfAnAnswerIsGivenUp) {
  options.idle_timeout = 20ms;
  handler = [](FakeInstance& bridge, FakeInstance::Got& got) {  // as much as there is credit for, and no end
    if (got.type == FrameType::invoke) {
      bridge.respond(got.stream, 200, {}, {}, 0);
      bridge.body(got.stream, std::string(wire::kWindow, 'x'));
    } else if (got.type == FrameType::credit) {
      bridge.body(got.stream, std::string(got.aux, 'x'));
    }
  };
  connect();
  send(kGet);
  EXPECT_TRUE(loop.until([&] { return sessions_ended == 1; }));
}

TEST_F(SessionTest, OneTooManyIsRefusedWithAWord) {
  refusing = true;
  connect().refuse();
  auto got = answer();
  EXPECT_EQ(got.status, 503U);
  EXPECT_TRUE(names(got, "gateway:too-many-connections"));
  EXPECT_TRUE(until_closed());
}

TEST_F(SessionTest, DrainingClosesIdleConnectionsAndFinishesRequests) {
  auto& idle = connect();
  idle.drain();
  EXPECT_TRUE(until_closed());
  auto& busy = connect();
  send(std::string(kGet) + std::string(kGet));
  ASSERT_TRUE(until_frame(FrameType::invoke));
  busy.drain();
  loop.settle();
  bridge().respond(invoked.stream, 200, {}, "finished");
  auto got = answer();
  EXPECT_EQ(got.body, "finished");
  EXPECT_TRUE(until_closed());
  EXPECT_EQ(routed.size(), 1U) << "no further request is begun";
}

TEST_F(SessionTest, ARequestThatBeganToComeBeforeTheDrainIsAnsweredWithClose) {
  answers(200, {}, "last");
  auto& session = connect();
  send("GET / HTTP/1.1\r\n");
  loop.settle();
  session.drain();
  send("Host: h\r\n\r\n");
  auto got = answer();
  EXPECT_EQ(got.body, "last");
  EXPECT_EQ(got.fields["connection"], "close");
  EXPECT_TRUE(until_closed());
}

TEST_F(SessionTest, ARefusalDoesNotSpeakOfTheRequestBefore) {
  answers(200, {}, "ok");
  connect();
  send(kGet);
  EXPECT_EQ(answer().status, 200U);
  send("nonsense\r\n\r\n");
  EXPECT_EQ(answer().fields["server-timing"], "queue;dur=0.000, start;dur=0.000, run;dur=0.000");
}

}  // namespace
}  // namespace mayfly::gateway
