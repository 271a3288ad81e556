// How instances end, and what of it their callers hear.
#include "pool/instance_test_support.h"

namespace mayfly::pool {
namespace {

using wire::FrameType;
using namespace std::string_literals;
using namespace std::chrono_literals;

TEST_F(InstanceTest, AFatalErrorExplainsTheDeath) {
  serve();
  TestInvocation one("1"), two("2");
  run(one);
  run(two);
  loop.settle();
  bridge->tell(FrameType::fatal, 0, static_cast<std::uint32_t>(wire::FatalKind::uncaught), "Error: x\0at y"s);
  loop.settle();
  bridge->die(W_EXITCODE(7, 0));
  ASSERT_TRUE(ended());
  for (const auto* test : {&one, &two}) {
    EXPECT_EQ(test->ended, 1);
    EXPECT_EQ(test->error->code, PoolErrc::uncaught_exception);
  }
  EXPECT_EQ(owner.ended, 1);
  EXPECT_EQ(owner.freed, 0) << "an instance that has ended has no slot to give";
  EXPECT_EQ(instance->in_flight(), 0);
}

TEST_F(InstanceTest, WhatItSaidBeforeItEndedIsHeard) {
  TestInvocation test;
  const auto stream = serve(test);
  // The report of the end overtakes the answer, which is still in the socket.
  const auto answer = [&] {
    std::string frame, payload;
    wire::append_response_head(payload, {});
    wire::append_frame(frame,
                       {FrameType::response, wire::kEnd | wire::kDone, stream, 200, payload + "in time"});
    return frame;
  }();
  bridge->send_raw(answer);
  instance->on_exited(W_EXITCODE(0, 0));
  EXPECT_EQ(test.body, "in time");
  EXPECT_FALSE(test.error);
  EXPECT_EQ(owner.ended, 1);
}

TEST_F(InstanceTest, ASignalsReasonIsReadFromItsLastWords) {
  serve();
  TestInvocation test;
  run(test);
  loop.settle();
  bridge->die(SIGABRT);
  loop.settle();
  EXPECT_EQ(owner.ended, 0) << "the log may still be on its way";
  instance->last_words->append("FATAL ERROR: JavaScript heap out of memory");
  ASSERT_TRUE(ended());
  EXPECT_EQ(test.error->code, PoolErrc::out_of_memory);
}

TEST_F(InstanceTest, WhoBreaksTheProtocolIsEnded) {
  const auto frame = [](FrameType type, std::uint32_t aux, std::string_view payload) {
    std::string bytes;
    wire::append_frame(bytes, {type, 0, 0, aux, payload});
    return bytes;
  };
  for (const auto& wrong : {"this is no frame at all, not even close"s, frame(FrameType::invoke, 0, {}),
                            frame(FrameType::usage, 0, "short"), std::string(64, '\0')}) {
    make(2);
    owner = {};
    serve();
    TestInvocation test;
    run(test);
    loop.settle();
    bridge->send_raw(wrong);
    ASSERT_TRUE(ended());
    EXPECT_EQ(test.error->code, PoolErrc::protocol_violation);
    EXPECT_TRUE(bridge->dead);
  }
}

TEST_F(InstanceTest, AResponseThatCannotBeReadIsABrokenProtocolToo) {
  for (const unsigned status : {99U, 1000U, 200U}) {
    make(2);
    owner = {};
    serve();
    TestInvocation test;
    run(test);
    const auto stream = next().stream;
    if (status == 200)
      bridge->tell(FrameType::response, stream, status, "\xff\xff\xff\xff");  // headers longer than the frame
    else
      bridge->respond(stream, status, {}, {});
    ASSERT_TRUE(ended());
    EXPECT_EQ(test.error->code, PoolErrc::protocol_violation) << status;
  }
}

TEST_F(InstanceTest, AnAnswerHasOneHeadAndItComesFirst) {
  for (const bool twice : {true, false}) {
    make(2);
    owner = {};
    serve();
    TestInvocation test;
    run(test);
    const auto stream = next().stream;
    if (twice) bridge->respond(stream, 200, {}, "once", 0);
    if (twice)
      bridge->respond(stream, 200, {}, "twice");
    else
      bridge->body(stream, "HTTP/1.1 200 OK", true);
    ASSERT_TRUE(ended());
    EXPECT_EQ(test.error->code, PoolErrc::protocol_violation);
    EXPECT_EQ(test.body, twice ? "once" : "");
    EXPECT_EQ(test.ended, 1);
  }
}

TEST_F(InstanceTest, WhoLeavesHearsNothingMoreAndTheHandlerIsTold) {
  TestInvocation test;
  const auto stream = serve(test);
  instance->abandon(test.invocation, wire::AbortReason::client);
  EXPECT_EQ(test.invocation.state, Invocation::State::idle);
  const auto abort = next();
  EXPECT_EQ(abort.type, FrameType::abort);
  EXPECT_EQ(abort.stream, stream);
  EXPECT_EQ(abort.aux, static_cast<std::uint32_t>(wire::AbortReason::client));
  EXPECT_EQ(instance->in_flight(), 1) << "the handler is still at it";
  bridge->respond(stream, 200, {}, "nobody is there");
  ASSERT_TRUE(loop.until([&] { return owner.freed == 1; }));
  EXPECT_EQ(test.ended, 0);
  EXPECT_EQ(owner.answered, 0);
}

/// An invocation that is overdue at once.
struct Late {
  explicit Late(std::string_view name = "late") : test(name) {
    test.invocation.deadline = std::chrono::steady_clock::now();
  }
  TestInvocation test;
};

TEST_F(InstanceTest, AHandlerThatStopsAtItsDeadlineCostsNoInstance) {
  serve();
  answer_pings();
  Late late;
  run(late.test);
  const auto stream = next().stream;
  ASSERT_TRUE(loop.until([&] { return late.test.ended > 0; }));
  EXPECT_EQ(late.test.error->message, "overdue");
  const auto abort = next();
  EXPECT_EQ(abort.type, FrameType::abort);
  EXPECT_EQ(abort.aux, static_cast<std::uint32_t>(wire::AbortReason::deadline));
  bridge->tell(FrameType::done, stream);
  ASSERT_TRUE(loop.until([&] { return owner.freed == 1; }));
  loop.skip(10s);
  TestInvocation other;
  run(other);
  ASSERT_TRUE(
      loop.until([&] { return !bridge->got.empty() && bridge->got.back().type == FrameType::invoke; }));
  bridge->respond(bridge->take_invoke().stream, 200, {}, "still here");
  ASSERT_TRUE(loop.until([&] { return other.ended > 0; }));
  EXPECT_EQ(owner.ended, 0);
}

TEST_F(InstanceTest, AloneAndPastItsDeadlineItIsKilled) {
  serve();
  Late late;
  run(late.test);
  ASSERT_TRUE(ended());
  EXPECT_EQ(late.test.ended, 1);
  EXPECT_EQ(late.test.error->message, "overdue");
  EXPECT_TRUE(bridge->dead);
}

TEST_F(InstanceTest, WhatItUsesTooMuchOfExplainsWhateverEndsIt) {
  const auto excess = processes_error(256, 300);
  serve();
  Late late;
  run(late.test);
  instance->note_excess(excess);  // what it has started is being ended, which takes a while
  ASSERT_TRUE(ended());
  EXPECT_EQ(late.test.error->message, excess.message) << "and not the deadline";
  EXPECT_EQ(owner.why->message, excess.message);
  EXPECT_EQ(owner.failures, std::vector{excess.message}) << "once";
  make(1);
  serve();
  TestInvocation test;
  run(test);
  instance->note_excess(excess);
  bridge->die(SIGSEGV);  // nor what it comes to without processes
  ASSERT_TRUE(loop.until([&] { return test.ended > 0; }));
  EXPECT_EQ(test.error->message, excess.message);
}

TEST_F(InstanceTest, AfterADeadlineItGetsNothingUntilItReacts) {
  make(4);
  serve();
  TestInvocation other("other");
  run(other);
  Late late;
  run(late.test);
  ASSERT_TRUE(pinged());
  EXPECT_EQ(late.test.ended, 1) << "its caller need not wait for that";
  EXPECT_FALSE(instance->has_slot()) << "what came now might be lost with it";
  bridge->tell(FrameType::pong);
  ASSERT_TRUE(loop.until([&] { return owner.reacted == 1; }));
  EXPECT_TRUE(instance->has_slot());
  loop.skip(1s);
  ASSERT_TRUE(pinged()) << "the slot is still taken";
  EXPECT_EQ(owner.ended, 0);
}

TEST_F(InstanceTest, AmongOthersItHasToAnswerAPing) {
  serve();
  TestInvocation other("other");
  run(other);
  Late late;
  run(late.test);
  answer_pings();
  ASSERT_TRUE(pinged());
  loop.settle();
  loop.skip(1s);
  const auto stream = bridge->take_invoke().stream;
  bridge->respond(stream, 200, {}, "unharmed");
  ASSERT_TRUE(loop.until([&] { return other.ended > 0; }));
  EXPECT_EQ(other.body, "unharmed");
}

TEST_F(InstanceTest, HandlersThatNeverEndDoNotKeepTheirSlotsForEver) {
  make(4);
  serve();
  answer_pings();
  TestInvocation good("good");
  run(good);
  std::deque<Late> hanging;
  for (int i = 0; i < 2; ++i) run(hanging.emplace_back().test);
  ASSERT_TRUE(loop.until([&] { return !instance->has_slot(); })) << "half of what it takes is lost";
  EXPECT_EQ(owner.ended, 0) << "one is in time";
  bridge->respond(bridge->take_invoke().stream, 200, {}, "unharmed");
  ASSERT_TRUE(ended()) << "nobody is left to spare";
  EXPECT_EQ(good.body, "unharmed");
  EXPECT_TRUE(bridge->dead);
}

TEST_F(InstanceTest, ASlotThatIsFreedLateIsASlotAgain) {
  serve();
  TestInvocation other("other");
  run(other);
  Late late;
  run(late.test);
  answer_pings();
  ASSERT_TRUE(pinged());
  EXPECT_FALSE(instance->has_slot());
  (void)bridge->take_invoke();
  bridge->tell(FrameType::done, bridge->take_invoke().stream);
  ASSERT_TRUE(loop.until([&] { return owner.freed == 1; }));
  EXPECT_TRUE(instance->has_slot());
  loop.skip(1s);
  loop.settle();
  EXPECT_EQ(owner.ended, 0);
}

TEST_F(InstanceTest, WhoDoesNotAnswerAPingIsStuck) {
  serve();
  TestInvocation other("other");
  run(other);
  Late late;
  run(late.test);
  ASSERT_TRUE(ended());
  EXPECT_EQ(late.test.error->message, "overdue");
  EXPECT_EQ(other.error->code, PoolErrc::instance_stuck);
  EXPECT_TRUE(bridge->dead);
}

TEST_F(InstanceTest, WhoSendsMoreThanItsCreditIsEndedAndNotListenedTo) {
  TestInvocation test;
  const auto stream = serve(test);
  const std::string part(wire::kWindow / 4, 'x');
  bridge->respond(stream, 200, {}, part, 0);
  for (int i = 0; i < 3; ++i) bridge->body(stream, part);
  ASSERT_TRUE(loop.until([&] { return test.body.size() == wire::kWindow; }));
  instance->credit(test.invocation, 2);
  bridge->body(stream, "12");
  ASSERT_TRUE(loop.until([&] { return test.body.size() == wire::kWindow + 2; }));
  EXPECT_EQ(owner.ended, 0) << "it kept to what it was given";
  bridge->body(stream, "3");
  bridge->body(stream, "4", true);
  ASSERT_TRUE(ended());
  EXPECT_EQ(test.body.size(), wire::kWindow + 2);
  EXPECT_EQ(test.error->code, PoolErrc::protocol_violation);
  EXPECT_EQ(test.error->message, "the instance was ended: it sent more of an answer than it has credit for");
  EXPECT_TRUE(bridge->dead);
}

TEST_F(InstanceTest, WhoIsAboutToEndGetsNothingNew) {
  TestInvocation test;
  bridge->respond(serve(test), 200, {}, "last", wire::kEnd | wire::kDone);
  bridge->tell(FrameType::fatal, 0, static_cast<std::uint32_t>(wire::FatalKind::exit), "3");
  ASSERT_TRUE(loop.until([&] { return test.ended > 0; }));
  EXPECT_EQ(test.body, "last");
  ASSERT_TRUE(loop.until([&] { return instance->state() == Instance::State::ending; }));
  EXPECT_FALSE(instance->has_slot());
  bridge->die(W_EXITCODE(3, 0));
  ASSERT_TRUE(ended());
  EXPECT_EQ(owner.why->code, PoolErrc::instance_exited);
}

TEST_F(InstanceTest, AWholeAnswerHasAWindowToo) {
  TestInvocation test;
  bridge->respond(serve(test), 200, {}, std::string(wire::kWindow + 1, 'x'));
  ASSERT_TRUE(ended());
  EXPECT_EQ(test.status, 0U);
  EXPECT_EQ(test.error->code, PoolErrc::protocol_violation);
}

TEST_F(InstanceTest, WhoSendsMoreThanItsCreditForAnAnswerThatNobodyTakesIsEndedToo) {
  TestInvocation test;
  const auto stream = serve(test);
  bridge->respond(stream, 200, {}, std::string(wire::kWindow, 'x'), 0);
  ASSERT_TRUE(loop.until([&] { return test.status == 200; }));
  instance->abandon(test.invocation, wire::AbortReason::client);
  bridge->body(stream, "x");
  ASSERT_TRUE(ended());
  EXPECT_EQ(owner.why->code, PoolErrc::protocol_violation);
}

TEST_F(InstanceTest, CreditIsForWhatItWasSent) {
  serve();
  TestInvocation test("1", "12345");
  test.invocation.body_complete = false;
  run(test);
  const auto stream = next().stream;
  bridge->tell(FrameType::credit, stream, 5);
  ASSERT_TRUE(loop.until([&] { return test.credit == 5; }));
  instance->send_body(test.invocation, "67", false);
  bridge->tell(FrameType::credit, stream, 3);
  ASSERT_TRUE(ended());
  EXPECT_EQ(test.error->message, "the instance was ended: it gave credit for more than it was sent");
  EXPECT_EQ(test.credit, 5U);
}

TEST_F(InstanceTest, WorkAfterTheAnswerIsToldOfItsDeadlineAndItsOwnerIs) {
  make(1);
  serve();
  answer_pings();
  Late late;
  late.test.invocation.deadline += 1h;
  run(late.test);
  const auto stream = next().stream;
  bridge->respond(stream, 200, {}, "x", wire::kEnd);
  ASSERT_TRUE(loop.until([&] { return late.test.ended == 1; }));
  loop.skip(2h);
  const auto told = next();
  EXPECT_EQ(told.type, FrameType::abort);
  EXPECT_EQ(told.aux, static_cast<std::uint32_t>(wire::AbortReason::deadline));
  EXPECT_EQ(owner.failures, std::vector<std::string>{"after its answer"});
  EXPECT_EQ(late.test.ended, 1);
  EXPECT_FALSE(late.test.error);
  bridge->tell(FrameType::done, stream);  // it heard, and costs no instance
  ASSERT_TRUE(loop.until([&] { return owner.freed == 1; }));
  EXPECT_EQ(owner.ended, 0);
}

TEST_F(InstanceTest, WorkForAClientThatHasLeftIsToldOfAndEndedAtItsDeadline) {
  make(1);
  Late late;
  late.test.invocation.deadline += 1h;
  (void)serve(late.test);
  instance->abandon(late.test.invocation, wire::AbortReason::client);
  loop.skip(2h);
  ASSERT_TRUE(ended());
  EXPECT_EQ(owner.failures, std::vector<std::string>{"unheard"});
}

TEST_F(InstanceTest, EndsWithItsTemplateWithoutAReport) {
  serve();
  TestInvocation test;
  run(test);
  loop.settle();
  bridge->vanish();
  instance->on_parent_gone();
  ASSERT_TRUE(ended());
  EXPECT_EQ(test.error->message, "the instance ended together with its template");
}

TEST_F(InstanceTest, AnEndThatNobodyReportsIsNotAwaitedForEver) {
  serve();
  TestInvocation test;
  run(test);
  loop.settle();
  bridge->report = {};  // its fork server hangs
  bridge->die(SIGKILL);
  loop.settle();
  EXPECT_EQ(owner.ended, 0);
  loop.skip(3s);
  ASSERT_TRUE(ended());
  EXPECT_EQ(test.ended, 1);
}

TEST_F(InstanceTest, AForkThatFailsEndsItAtOnce) {
  instance->on_fork_failed(
      Error{std::make_error_code(std::errc::resource_unavailable_try_again), "no more", {}});
  EXPECT_EQ(owner.ended, 1);
  EXPECT_EQ(owner.why->code, PoolErrc::fork_failed);
  EXPECT_FALSE(instance->came_up());
}

TEST_F(InstanceTest, OneThatNeverComesUpIsNotAwaitedForEver) {
  loop.skip(29s);
  loop.settle();
  bridge->tell(FrameType::pong);
  loop.settle();
  EXPECT_EQ(instance->state(), Instance::State::starting);
  loop.skip(2s);
  ASSERT_TRUE(ended());
  EXPECT_EQ(owner.why->code, PoolErrc::fork_failed);
  EXPECT_EQ(owner.why->detail("limit"), "30s");
  EXPECT_TRUE(loop.until([&] { return bridge->dead; }));
}

TEST_F(InstanceTest, OnceItServesNothingIsLeftOfTheDeadlineForComingUp) {
  serve();
  loop.skip(60s);
  TestInvocation test;
  run(test);
  bridge->respond(next().stream, 200, {}, "ok");
  ASSERT_TRUE(loop.until([&] { return test.ended > 0; }));
  EXPECT_EQ(instance->state(), Instance::State::serving);
}

TEST_F(InstanceTest, AForkThatIsReportedToNobodyIsKilled) {
  auto pair = socket_pair(SOCK_STREAM);
  auto late = std::make_shared<FakeInstance>(loop.io, std::move(pair->theirs), Fd());
  late->begin();
  auto gone = std::make_shared<Instance>(loop.reactor, loop.deadlines, owner, std::move(pair->ours), 1);
  gone->start();
  gone->disown();
  gone->on_forked(Fd(copy_of(late->pidfd())));
  EXPECT_TRUE(loop.until([&] { return late->dead; }));
}

TEST_F(InstanceTest, EndedBeforeItsProcessIsKnownItIsKilledAsSoonAsItIs) {
  auto pair = socket_pair(SOCK_STREAM);
  auto late = std::make_shared<FakeInstance>(loop.io, std::move(pair->theirs), Fd());
  late->begin();
  auto young = std::make_shared<Instance>(loop.reactor, loop.deadlines, owner, std::move(pair->ours), 1);
  young->start();
  young->end(KillCause::drained);
  young->on_forked(Fd(copy_of(late->pidfd())));
  EXPECT_TRUE(loop.until([&] { return late->dead; }));
  young->disown();
}

TEST_F(InstanceTest, ADisownedInstanceSaysNothingMore) {
  serve();
  TestInvocation test;
  run(test);
  loop.settle();
  instance->disown();
  EXPECT_EQ(test.invocation.state, Invocation::State::idle);
  ASSERT_TRUE(loop.until([&] { return bridge->dead; }));
  loop.settle();
  EXPECT_EQ(owner.ended + test.ended, 0);
}

}  // namespace
}  // namespace mayfly::pool
