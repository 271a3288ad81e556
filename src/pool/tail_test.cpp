// Serial instances: what was sent and has not begun.
#include <sys/wait.h>

#include "pool/instance_test_support.h"

namespace mayfly::pool {
namespace {

using wire::FrameType;
using namespace std::chrono_literals;

struct TailTest : InstanceTest {
  TailTest() {
    auto made = wire::Offers::create().value();
    theirs = wire::Offers::open(made.second).value();
    make(wire::kMaxOffers, std::move(made.first));
    serve();
    for (std::size_t i = 0; i < tests.size(); ++i)
      tests[i].invocation.accepted = tests[0].invocation.accepted + milliseconds(i);
  }
  /// All of `tests` are given to the instance, which has read them.
  void give_all() {
    for (TestInvocation& test : tests) {
      run(test);
      streams.push_back(next().stream);
    }
  }
  [[nodiscard]] bool claim(std::size_t i) {
    return theirs->claim(streams[i], to_wire(std::chrono::steady_clock::now()));
  }
  void answer(std::size_t i) {
    bridge->respond(streams[i], 200, {}, "ok");
    ASSERT_TRUE(loop.until([&] { return tests[i].ended > 0; }));
  }
  [[nodiscard]] std::vector<Invocation*> last_first(std::size_t first) {
    std::vector<Invocation*> list;
    for (std::size_t i = tests.size(); i-- > first;) list.push_back(&tests[i].invocation);
    return list;
  }

  std::optional<wire::Offers> theirs;
  std::array<TestInvocation, 4> tests{TestInvocation("a", "body a"), TestInvocation("b", "body b"),
                                      TestInvocation("c", "body c"), TestInvocation("d", "body d")};
  std::vector<std::uint32_t> streams;
};

TEST_F(TailTest, OneAfterAnotherIsServedWithoutARoundTripBetween) {
  give_all();
  EXPECT_EQ(instance->in_flight(), 4);
  EXPECT_TRUE(instance->has_slot());
  for (std::size_t i = 0; i < tests.size(); ++i) {
    ASSERT_TRUE(claim(i));
    answer(i);
    EXPECT_EQ(tests[i].status, 200U);
  }
  EXPECT_TRUE(owner.taken_back.empty());
}

TEST_F(TailTest, ADeathTakesOnlyTheOneThatHadBegun) {
  give_all();
  ASSERT_TRUE(claim(0));
  bridge->die(SIGSEGV);
  loop.skip(1s);  // last words
  ASSERT_TRUE(ended());
  EXPECT_EQ(tests[0].ended, 1);
  ASSERT_TRUE(tests[0].error);
  EXPECT_EQ(owner.taken_back, last_first(1));
  for (std::size_t i = 1; i < tests.size(); ++i) {
    EXPECT_EQ(tests[i].ended, 0);
    EXPECT_FALSE(claim(i)) << "what was taken back never begins here";
    EXPECT_EQ(tests[i].invocation.runner, nullptr);
    EXPECT_EQ(tests[i].invocation.body.substr(0, 4), "body") << "it is needed again";
  }
  EXPECT_EQ(owner.failures.size(), 1U);
}

TEST_F(TailTest, WhatWasAnsweredBeforeTheDeathIsAnswered) {
  give_all();
  ASSERT_TRUE(claim(0));
  bridge->respond(streams[0], 200, {}, "ok");
  ASSERT_TRUE(claim(1));
  bridge->die(W_EXITCODE(3, 0));
  ASSERT_TRUE(ended());
  EXPECT_EQ(tests[0].status, 200U);
  EXPECT_TRUE(tests[1].error);
  EXPECT_EQ(owner.taken_back, last_first(2));
}

TEST_F(TailTest, AnInvocationWhoseInstancesDieBeforeAnythingRunsIsNotTriedForEver) {
  tests[0].invocation.lost = 2;
  give_all();
  bridge->die(W_EXITCODE(3, 0));
  ASSERT_TRUE(ended());
  EXPECT_EQ(tests[0].ended, 1);
  EXPECT_EQ(owner.taken_back, last_first(1));
  EXPECT_EQ(tests[1].invocation.lost, 1);
}

TEST_F(TailTest, WhoRunsForLongerThanAForkTakesKeepsNobodyBehindIt) {
  owner.price = 0ns;
  give_all();
  ASSERT_TRUE(claim(0));
  ASSERT_TRUE(loop.until([&] { return !owner.taken_back.empty(); }));
  EXPECT_EQ(owner.taken_back, last_first(1));
  EXPECT_EQ(instance->in_flight(), 1);
  EXPECT_FALSE(instance->has_slot()) << "nobody new behind it either";
  EXPECT_FALSE(claim(1));
  answer(0);
  EXPECT_TRUE(instance->has_slot());
  EXPECT_EQ(instance->state(), Instance::State::serving);
}

TEST_F(TailTest, WhileTheyGetThroughNobodyIsTakenBack) {
  owner.price = 1h;
  give_all();
  ASSERT_TRUE(claim(0));
  loop.skip(59min);  // the watch looks, and finds that it began just now
  answer(0);
  EXPECT_TRUE(owner.taken_back.empty());
}

TEST_F(TailTest, AnInstanceThatHangsBetweenTwoIsEnded) {
  owner.price = 0ns;
  give_all();
  ASSERT_TRUE(loop.until([&] { return !owner.taken_back.empty(); }));
  EXPECT_EQ(owner.taken_back, last_first(0)) << "nothing had begun";
  EXPECT_FALSE(instance->has_slot());
  ASSERT_TRUE(pinged());
  loop.skip(1s);
  ASSERT_TRUE(ended());
  EXPECT_EQ(owner.why->code, PoolErrc::instance_stuck);
}

TEST_F(TailTest, OneThatReactsIsUsedAgain) {
  answer_pings();
  owner.price = 0ns;
  give_all();
  ASSERT_TRUE(loop.until([&] { return owner.reacted > 0; }));
  EXPECT_TRUE(instance->has_slot());
}

TEST_F(TailTest, ADeadlineOfTheOneThatRunsSendsTheOthersElsewhere) {
  for (TestInvocation& test : tests) test.invocation.deadline += 24h;
  tests[0].invocation.deadline = std::chrono::steady_clock::now() + 1h;
  owner.price = 24h;
  give_all();
  ASSERT_TRUE(claim(0));
  loop.skip(1h);
  ASSERT_TRUE(loop.until([&] { return tests[0].ended > 0; }));
  EXPECT_EQ(tests[0].error->message, "overdue");
  EXPECT_EQ(owner.taken_back, last_first(1));
  ASSERT_TRUE(ended()) << "it did not end in its grace";
}

TEST_F(TailTest, ADeadlineBeforeItsTurnHarmsNobodyElse) {
  for (TestInvocation& test : tests) test.invocation.deadline += 24h;
  tests[2].invocation.deadline = std::chrono::steady_clock::now() + 1h;
  owner.price = 24h;
  give_all();
  ASSERT_TRUE(claim(0));
  loop.skip(1h);
  ASSERT_TRUE(loop.until([&] { return tests[2].ended > 0; }));
  EXPECT_EQ(tests[2].error->message, "overdue");
  EXPECT_FALSE(claim(2));
  EXPECT_TRUE(owner.taken_back.empty());
  answer(0);
  EXPECT_TRUE(claim(1));
  answer(1);
}

TEST_F(TailTest, WhoLeavesBeforeHisTurnIsNeverServed) {
  give_all();
  ASSERT_TRUE(claim(0));
  instance->abandon(tests[1].invocation, wire::AbortReason::client);
  EXPECT_EQ(instance->in_flight(), 3);
  EXPECT_FALSE(claim(1));
  instance->abandon(tests[0].invocation, wire::AbortReason::client);
  EXPECT_EQ(instance->in_flight(), 3) << "it has begun: its handler is told, and has to end";
  EXPECT_EQ(next().type, FrameType::abort);
}

TEST_F(TailTest, ARequestThatStillComesHasItsInstanceForItself) {
  tests[0].invocation.body_complete = false;
  run(tests[0]);
  EXPECT_FALSE(instance->has_slot());
  const auto stream = next().stream;
  EXPECT_TRUE(tests[0].invocation.body.empty()) << "its body is on its way";
  bridge->die(W_EXITCODE(3, 0));
  ASSERT_TRUE(ended());
  EXPECT_EQ(tests[0].ended, 1);
  EXPECT_TRUE(owner.taken_back.empty());
  EXPECT_NE(stream, 0U);
}

TEST_F(TailTest, TimesAreThoseOfTheBeginning) {
  give_all();
  const auto given = tests[0].invocation.started;
  const auto began = given + 1ns;
  ASSERT_TRUE(theirs->claim(streams[0], to_wire(began)));
  answer(0);
  EXPECT_EQ(tests[0].invocation.started, began);
  ASSERT_TRUE(theirs->claim(streams[1], to_wire(given - 1h)));  // nonsense is not passed on
  answer(1);
  EXPECT_GE(tests[1].invocation.started, given);
  ASSERT_TRUE(theirs->claim(streams[2], ~std::uint64_t{0} >> 1U));
  answer(2);
  EXPECT_LE(tests[2].invocation.started, tests[2].invocation.answered);
}

TEST_F(TailTest, WhatIsAnsweredWithoutAClaimIsNotSentAgain) {
  give_all();
  bridge->respond(streams[0], 200, {}, "half", 0);
  ASSERT_TRUE(loop.until([&] { return tests[0].status == 200; }));
  bridge->die(W_EXITCODE(3, 0));
  ASSERT_TRUE(ended());
  EXPECT_EQ(tests[0].ended, 1);
  EXPECT_EQ(owner.taken_back, last_first(1));
}

}  // namespace
}  // namespace mayfly::pool
