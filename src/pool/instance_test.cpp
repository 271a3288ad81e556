#include "pool/instance.h"

#include "pool/instance_test_support.h"

namespace mayfly::pool {
namespace {

using wire::FrameType;
using namespace std::string_literals;
using namespace std::chrono_literals;

TEST_F(InstanceTest, ServesOnceTheBridgeSaysSo) {
  EXPECT_EQ(instance->state(), Instance::State::starting);
  EXPECT_FALSE(instance->has_slot());
  EXPECT_EQ(instance->pid(), bridge->pid());
  serve();
  EXPECT_TRUE(instance->has_slot());
  bridge->serve();
  loop.settle();
  EXPECT_EQ(owner.started, 1) << "a second usage is not a second start";
}

TEST_F(InstanceTest, CarriesARequestAndItsAnswer) {
  serve();
  TestInvocation test("7", "the body");
  test.invocation.method = "PUT";
  test.invocation.target = "/a?b";
  test.invocation.remote = "10.0.0.1";
  test.invocation.headers = "x\0y\0"s;
  run(test);
  EXPECT_EQ(instance->in_flight(), 1);
  const auto got = next();
  EXPECT_EQ(got.type, FrameType::invoke);
  EXPECT_EQ(got.id, test.invocation.id_text());
  EXPECT_EQ(got.method + " " + got.target + " " + got.remote, "PUT /a?b 10.0.0.1");
  EXPECT_EQ(got.headers, "x\0y\0"s);
  EXPECT_EQ(got.payload, "the body");
  EXPECT_TRUE(got.ended());
  EXPECT_EQ(got.deadline, to_wire(test.invocation.deadline));

  int free_at_the_end = -1;
  test.at_end = [&] { free_at_the_end = instance->in_flight(); };
  bridge->respond(got.stream, 201, "a\0b\0"s, "hello");
  ASSERT_TRUE(loop.until([&] { return test.ended > 0; }));
  EXPECT_EQ(test.status, 201U);
  EXPECT_EQ(test.headers, "a\0b\0"s);
  EXPECT_EQ(test.body, "hello");
  EXPECT_EQ(free_at_the_end, 0) << "the slot must be free when the caller may send the next request";
  EXPECT_EQ(owner.freed, 1);
  EXPECT_EQ(owner.answered, 1);
  EXPECT_EQ(instance->served(), 1U);
  EXPECT_EQ(test.invocation.state, Invocation::State::idle);
}

TEST_F(InstanceTest, StreamsBothBodiesWithCredit) {
  serve();
  TestInvocation test("1", "first ");
  test.invocation.body_complete = false;
  run(test);
  const auto stream = next().stream;
  const std::string large(wire::kMaxChunk * 2 + 5, 'x');
  instance->send_body(test.invocation, large, false);
  instance->send_body(test.invocation, {}, true);
  std::string got;
  FakeInstance::Got frame;
  do {
    frame = next();
    ASSERT_EQ(frame.type, FrameType::body);
    EXPECT_LE(frame.payload.size(), wire::kMaxChunk);
    got += frame.payload;
  } while (!frame.ended());
  EXPECT_EQ(got, large);

  bridge->tell(FrameType::credit, stream, 5000);
  bridge->respond(stream, 200, {}, "a", 0);
  bridge->body(stream, "b");
  ASSERT_TRUE(loop.until([&] { return test.body == "ab"; }));
  EXPECT_EQ(test.credit, 5000U);
  EXPECT_EQ(test.ended, 0);
  instance->credit(test.invocation, 2);
  const auto credit = next();
  EXPECT_EQ(credit.type, FrameType::credit);
  EXPECT_EQ(credit.aux, 2U);
  bridge->body(stream, "c", true);
  ASSERT_TRUE(loop.until([&] { return test.ended > 0; }));
  EXPECT_EQ(test.body, "abc");
}

TEST_F(InstanceTest, WhatTheSocketDoesNotTakeAtOnceArrivesInOrder) {
  serve();
  TestInvocation test("1");
  test.invocation.body_complete = false;
  run(test);
  std::string sent, got;
  bool complete = false;
  bridge->got.clear();
  bridge->hook = [&](FakeInstance&, FakeInstance::Got& frame) {
    got += frame.payload;
    complete |= frame.type == FrameType::body && frame.ended();
  };
  for (int i = 0; i < 400; ++i) {  // far beyond what a socket pair buffers
    const std::string part(20'000, static_cast<char>('a' + i % 26));
    sent += part;
    instance->send_body(test.invocation, part, i == 399);
  }
  ASSERT_TRUE(loop.until([&] { return complete; }));
  EXPECT_TRUE(got == sent);
}

TEST_F(InstanceTest, AnAnswerThatIsTooLargeIsNotGivenOnAndItsSlotBecomesFree) {
  owner.largest = 4;
  TestInvocation whole;
  const auto stream = serve(whole);
  bridge->respond(stream, 200, {}, "12345");
  ASSERT_TRUE(loop.until([&] { return whole.ended > 0; }));
  EXPECT_EQ(whole.status, 0U);
  ASSERT_TRUE(whole.error);
  EXPECT_EQ(whole.error->code, PoolErrc::answer_too_large);
  EXPECT_EQ(whole.error->detail("limit"), "4B");
  EXPECT_EQ(instance->in_flight(), 0);
  EXPECT_EQ(next().type, FrameType::abort);

  TestInvocation streamed;
  run(streamed);
  const auto second = next().stream;
  bridge->respond(second, 200, {}, "123", 0);
  bridge->tell(FrameType::body, second, 0, "4");
  bridge->tell(FrameType::body, second, 0, "5");
  ASSERT_TRUE(loop.until([&] { return streamed.ended > 0; }));
  EXPECT_EQ(streamed.body, "1234");
  EXPECT_EQ(instance->in_flight(), 1) << "until the handler says that it is done";
  bridge->tell(FrameType::done, second);
  ASSERT_TRUE(loop.until([&] { return instance->in_flight() == 0; }));
  EXPECT_EQ(owner.failures.size(), 2U);
}

TEST_F(InstanceTest, AnAnswerThatSaysThatItWillBeTooLargeIsNotBegun) {
  owner.largest = 4;
  for (const auto& [length, goes_on] : {std::pair{"5", false}, {"4", true}, {"99999999999999999999", true}}) {
    TestInvocation test;
    make(2);
    const auto stream = serve(test);
    bridge->respond(stream, 200, std::string("Content-Length\0", 15) + length + '\0', {}, 0);
    ASSERT_TRUE(loop.until([&] { return test.ended > 0 || test.status != 0; }));
    EXPECT_EQ(test.status, goes_on ? 200U : 0U) << length;
    if (goes_on) continue;
    EXPECT_EQ(test.error->code, PoolErrc::answer_too_large);
    EXPECT_EQ(next().type, FrameType::abort);
  }
}

TEST_F(InstanceTest, BackgroundWorkKeepsTheSlot) {
  TestInvocation test;
  const auto stream = serve(test);
  bridge->respond(stream, 200, {}, "x", wire::kEnd);
  ASSERT_TRUE(loop.until([&] { return test.ended > 0; }));
  EXPECT_EQ(instance->in_flight(), 1);
  EXPECT_EQ(owner.freed, 0);
  bridge->tell(FrameType::done, stream);
  ASSERT_TRUE(loop.until([&] { return owner.freed == 1; }));
  EXPECT_EQ(instance->in_flight(), 0);
  EXPECT_EQ(test.ended, 1);
}

TEST_F(InstanceTest, AHandlersErrorIsTheAnswer) {
  TestInvocation test;
  const auto stream = serve(test);
  bridge->tell(FrameType::error, stream, static_cast<std::uint32_t>(wire::ErrorKind::threw),
               "Error: no\0stack"s);
  bridge->tell(FrameType::done, stream);
  ASSERT_TRUE(loop.until([&] { return owner.freed == 1; }));
  EXPECT_EQ(test.ended, 1);
  EXPECT_EQ(test.error->code, PoolErrc::handler_threw);
  EXPECT_EQ(owner.failures, std::vector<std::string>{"Error: no"});
  EXPECT_EQ(owner.answered, 0);
}

TEST_F(InstanceTest, AnErrorAfterTheHeadBreaksTheAnswerOff) {
  TestInvocation test;
  const auto stream = serve(test);
  bridge->respond(stream, 200, {}, "half", 0);
  bridge->tell(FrameType::error, stream, static_cast<std::uint32_t>(wire::ErrorKind::stream), "x");
  ASSERT_TRUE(loop.until([&] { return test.ended > 0; }));
  EXPECT_EQ(test.body, "half");
  EXPECT_EQ(test.error->code, PoolErrc::answer_broken);
}

TEST_F(InstanceTest, AnErrorOfBackgroundWorkIsRememberedThoughNobodyWaits) {
  TestInvocation test;
  const auto stream = serve(test);
  bridge->respond(stream, 200, {}, "x", wire::kEnd);
  bridge->tell(FrameType::error, stream, static_cast<std::uint32_t>(wire::ErrorKind::threw), "late");
  bridge->tell(FrameType::done, stream);
  ASSERT_TRUE(loop.until([&] { return owner.freed == 1; }));
  EXPECT_EQ(owner.failures, std::vector<std::string>{"late"});
  EXPECT_FALSE(test.error);
}

TEST_F(InstanceTest, AHandlerThatIsDoneWithoutAnAnswerIsAFailure) {
  serve();
  TestInvocation test;
  run(test);
  bridge->tell(FrameType::done, next().stream);
  ASSERT_TRUE(loop.until([&] { return test.ended > 0; }));
  EXPECT_EQ(test.error->code, PoolErrc::protocol_violation);
  EXPECT_EQ(instance->state(), Instance::State::serving);
}

TEST_F(InstanceTest, TheNextInvocationMayBeGivenFromInsideTheEndOfTheLast) {
  make(1);
  serve();
  TestInvocation first("1"), second("2");
  first.at_end = [&] { run(second); };
  run(first);
  const auto stream = next().stream;
  bridge->respond(stream, 200, {}, "1");
  const auto got = next();
  EXPECT_EQ(got.id, second.invocation.id_text());
  EXPECT_EQ(wire::slot_of(got.stream), wire::slot_of(stream));
  EXPECT_NE(got.stream, stream) << "another generation";
  // Frames of the stream that ended meet nobody.
  bridge->body(stream, "late", true);
  bridge->respond(stream, 500, {}, "late");
  bridge->tell(FrameType::error, stream, 1, "late");
  bridge->tell(FrameType::done, stream);
  bridge->tell(FrameType::credit, stream, 1);
  bridge->respond(got.stream, 200, {}, "2");
  ASSERT_TRUE(loop.until([&] { return second.ended > 0; }));
  EXPECT_EQ(second.body, "2");
  EXPECT_EQ(second.credit, 0U);
  EXPECT_EQ(first.body, "1");
}

TEST_F(InstanceTest, TheCostIsTheLargerOfComputingAndBlocking) {
  serve();
  bridge->usage(8us, 2us, 4);
  ASSERT_TRUE(loop.until([&] { return owner.cost > 0ns; }));
  EXPECT_EQ(owner.cost, 2us);
  bridge->usage(9us, 22us, 6);  // since then: 1 us computed, 20 us blocked, 2 done
  ASSERT_TRUE(loop.until([&] { return owner.cost != 2us; }));
  EXPECT_EQ(owner.cost, 10us);
  owner.cost = 0ns;
  bridge->usage(10us, 30us, 6);
  loop.settle();
  EXPECT_EQ(owner.cost, 0ns) << "nothing was done: nothing is known";
}

TEST_F(InstanceTest, ALeaseTakesItsSlotWithItAndGivesItBackOnce) {
  serve();
  Lease one(*instance);
  Lease two(*instance);
  EXPECT_FALSE(instance->has_slot());
  Lease moved = std::move(one);
  EXPECT_FALSE(one);
  EXPECT_EQ(instance->in_flight(), 2);
  moved = std::move(two);
  EXPECT_EQ(instance->in_flight(), 1);
  EXPECT_EQ(owner.freed, 1);
  moved = Lease();
  EXPECT_EQ(instance->in_flight(), 0);
  EXPECT_EQ(owner.freed, 2);
}

}  // namespace
}  // namespace mayfly::pool
