#include "pool/instance.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include "pool/fake_runtime_test_support.h"

namespace mayfly::pool {
namespace {

using wire::FrameType;
using namespace std::string_literals;
using namespace std::chrono_literals;

/// Keeps what it is told, in words.
struct Owner final : InstanceOwner {
  void on_started(Instance&) override { ++started; }
  void on_slot_free(Instance&) override { ++freed; }
  void on_cost(nanoseconds per_invocation) override { cost = per_invocation; }
  void on_answered(nanoseconds) override { ++answered; }
  Error on_overdue(const Invocation&) override {
    return {std::make_error_code(std::errc::timed_out), "overdue", {}};
  }
  void on_ended(Instance&, const Error& error) override {
    ++ended;
    why = error;
  }
  void on_failure(std::string_view, const Error& error) override { failures.push_back(error.message); }

  int started = 0, freed = 0, answered = 0, ended = 0;
  nanoseconds cost{0};
  std::optional<Error> why;
  std::vector<std::string> failures;
};

struct InstanceTest : testing::Test {
  InstanceTest() { make(2); }
  ~InstanceTest() override {
    instance->disown();
    bridge->vanish();
    loop.settle();
  }

  /// A new instance that takes so many invocations at once, and its bridge.
  void make(int concurrency) {
    if (bridge) instance->disown(), bridge->vanish();
    auto pair = socket_pair(SOCK_STREAM);
    bridge = std::make_shared<FakeInstance>(loop.io, std::move(pair->theirs), Fd());
    instance =
        std::make_shared<Instance>(loop.reactor, loop.deadlines, owner, std::move(pair->ours), concurrency);
    bridge->report = [this](int status) { instance->on_exited(status); };
    instance->start();
    instance->on_forked(Fd(::dup(bridge->pidfd())));
    bridge->begin();
  }
  void serve() {
    bridge->serve();
    ASSERT_TRUE(loop.until([&] { return instance->state() == Instance::State::serving; }));
  }
  void run(TestInvocation& test) { instance->run(test.invocation, Lease(*instance)); }
  /// The next frame that the bridge got.
  FakeInstance::Got next() {
    if (!loop.until([&] { return !bridge->got.empty(); })) return {};
    auto got = std::move(bridge->got.front());
    bridge->got.pop_front();
    return got;
  }
  [[nodiscard]] bool ended() {
    return loop.until([&] { return owner.ended > 0; });
  }

  TestLoop loop;
  Owner owner;
  std::shared_ptr<FakeInstance> bridge;
  std::shared_ptr<Instance> instance;
};

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

TEST_F(InstanceTest, BackgroundWorkKeepsTheSlot) {
  serve();
  TestInvocation test;
  run(test);
  const auto stream = next().stream;
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
  serve();
  TestInvocation test;
  run(test);
  const auto stream = next().stream;
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
  serve();
  TestInvocation test;
  run(test);
  const auto stream = next().stream;
  bridge->respond(stream, 200, {}, "half", 0);
  bridge->tell(FrameType::error, stream, static_cast<std::uint32_t>(wire::ErrorKind::stream), "x");
  ASSERT_TRUE(loop.until([&] { return test.ended > 0; }));
  EXPECT_EQ(test.body, "half");
  EXPECT_EQ(test.error->code, PoolErrc::answer_broken);
}

TEST_F(InstanceTest, AnErrorOfBackgroundWorkIsRememberedThoughNobodyWaits) {
  serve();
  TestInvocation test;
  run(test);
  const auto stream = next().stream;
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
  serve();
  TestInvocation test;
  run(test);
  const auto stream = next().stream;
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

TEST_F(InstanceTest, WhoLeavesHearsNothingMoreAndTheHandlerIsTold) {
  serve();
  TestInvocation test;
  run(test);
  const auto stream = next().stream;
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
  bridge->respond(next().stream, 200, {}, "still here");
  ASSERT_TRUE(loop.until([&] { return other.ended > 0; }));
  EXPECT_EQ(owner.ended, 0);
}

TEST_F(InstanceTest, AloneAndPastItsDeadlineItIsKilled) {
  serve();
  Late late;
  run(late.test);
  ASSERT_TRUE(ended());
  for (const auto& got : bridge->got) EXPECT_NE(got.type, FrameType::ping) << "nobody else is there to spare";
  EXPECT_EQ(late.test.ended, 1);
  EXPECT_EQ(late.test.error->message, "overdue");
  EXPECT_TRUE(bridge->dead);
}

TEST_F(InstanceTest, AmongOthersItHasToAnswerAPing) {
  serve();
  TestInvocation other("other");
  run(other);
  Late late;
  run(late.test);
  bridge->hook = [](FakeInstance& self, FakeInstance::Got& got) {
    if (got.type == FrameType::ping) self.tell(FrameType::pong);
    self.got.push_back(std::move(got));
  };
  ASSERT_TRUE(loop.until([&] { return !bridge->got.empty() && bridge->got.back().type == FrameType::ping; }));
  loop.settle();
  loop.skip(1s);
  const auto stream = bridge->take_invoke().stream;
  bridge->respond(stream, 200, {}, "unharmed");
  ASSERT_TRUE(loop.until([&] { return other.ended > 0; }));
  EXPECT_EQ(other.body, "unharmed");
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

TEST_F(InstanceTest, EndedBeforeItsProcessIsKnownItIsKilledAsSoonAsItIs) {
  auto pair = socket_pair(SOCK_STREAM);
  auto late = std::make_shared<FakeInstance>(loop.io, std::move(pair->theirs), Fd());
  late->begin();
  auto young = std::make_shared<Instance>(loop.reactor, loop.deadlines, owner, std::move(pair->ours), 1);
  young->start();
  young->end(KillCause::drained);
  young->on_forked(Fd(::dup(late->pidfd())));
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
