#include "base/reactor.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <memory>
#include <vector>

namespace mayfly {
namespace {

/// A socket whose other end the test holds.
struct Watched : ReactorEntry {
  Watched() {
    auto made = socket_pair(SOCK_STREAM);
    EXPECT_TRUE(made);
    pair = std::move(*made);
  }
  void on_ready(std::uint32_t events) override {
    seen.push_back(events);
    if (then) then();
  }
  void say(std::string_view text) const {
    EXPECT_GT(::send(pair.theirs.get(), text.data(), text.size(), 0), 0);
  }
  void take() const {
    std::array<char, 64> bytes{};
    EXPECT_GT(::recv(pair.ours.get(), bytes.data(), bytes.size(), 0), 0);
  }
  FdPair pair;
  std::vector<std::uint32_t> seen;
  std::function<void()> then;
};

struct Counted : TurnEnd {
  void on_turn_end() override {
    ++times;
    if (then) then();
  }
  int times = 0;
  std::function<void()> then;
};

TEST(Reactor, CallsWhatIsReadyAndOnlyThat) {
  Reactor reactor;
  Watched ready, quiet;
  ASSERT_TRUE(reactor.join(ready, ready.pair.ours.get(), EPOLLIN));
  ASSERT_TRUE(reactor.join(quiet, quiet.pair.ours.get(), EPOLLIN));
  ready.say("x");
  reactor.turn(1);
  EXPECT_EQ(ready.seen, std::vector<std::uint32_t>{EPOLLIN});
  EXPECT_TRUE(quiet.seen.empty());
}

TEST(Reactor, SaysSoAgainWhileThereIsSomethingToRead) {
  Reactor reactor;
  Watched one;
  ASSERT_TRUE(reactor.join(one, one.pair.ours.get(), EPOLLIN));
  one.say("x");
  reactor.turn(3);
  EXPECT_EQ(one.seen.size(), 3U);
  one.take();
  reactor.turn(3);
  EXPECT_EQ(one.seen.size(), 3U);
}

TEST(Reactor, WaitsForWhatItIsToldTo) {
  Reactor reactor;
  Watched one;
  ASSERT_TRUE(reactor.join(one, one.pair.ours.get(), EPOLLIN));
  one.say("x");
  one.wait_for(0);
  reactor.turn(1);
  EXPECT_TRUE(one.seen.empty());
  one.wait_for(EPOLLIN | EPOLLOUT);
  reactor.turn(1);
  EXPECT_EQ(one.seen, std::vector<std::uint32_t>{EPOLLIN | EPOLLOUT});
}

TEST(Reactor, AnEntryThatIsDestroyedByAnotherIsNotCalled) {
  Reactor reactor;
  auto first = std::make_unique<Watched>();
  auto second = std::make_unique<Watched>();
  ASSERT_TRUE(reactor.join(*first, first->pair.ours.get(), EPOLLIN));
  ASSERT_TRUE(reactor.join(*second, second->pair.ours.get(), EPOLLIN));
  int calls = 0;
  // Both are found ready; whichever is called first destroys the other.
  first->then = [&] { ++calls, second.reset(); };
  second->then = [&] { ++calls, first.reset(); };
  first->say("x");
  second->say("x");
  reactor.turn(1);
  EXPECT_EQ(calls, 1);
  EXPECT_NE(first == nullptr, second == nullptr);
}

TEST(Reactor, DoesWhatIsDueOnceAfterAllWereCalled) {
  Reactor reactor;
  Watched a, b;
  Counted work;
  for (Watched* one : {&a, &b}) {
    ASSERT_TRUE(reactor.join(*one, one->pair.ours.get(), EPOLLIN));
    one->then = [&] {
      EXPECT_EQ(work.times, 0);
      reactor.at_turn_end(work);
    };
    one->say("x");
  }
  reactor.turn(1);
  EXPECT_EQ(work.times, 1);
  reactor.finish_turn();
  EXPECT_EQ(work.times, 1);
}

TEST(Reactor, WorkMayAskForMoreAndMayBeDestroyedBefore) {
  Reactor reactor;
  Counted first, second;
  auto gone = std::make_unique<Counted>();
  reactor.at_turn_end(first);
  reactor.at_turn_end(*gone);
  gone.reset();
  first.then = [&] { reactor.at_turn_end(second); };
  reactor.finish_turn();
  EXPECT_EQ(first.times, 1);
  EXPECT_EQ(second.times, 1);
}

TEST(Reactor, WakesItsOwnerOnlyOutsideOfATurn) {
  Reactor reactor;
  Watched one;
  Counted work, other;
  int woken = 0;
  reactor.wake = [&] { ++woken; };
  ASSERT_TRUE(reactor.join(one, one.pair.ours.get(), EPOLLIN));
  one.then = [&] { reactor.at_turn_end(work); };
  one.say("x");
  reactor.turn(1);
  EXPECT_EQ(woken, 0);
  reactor.at_turn_end(work);
  reactor.at_turn_end(other);
  EXPECT_EQ(woken, 1);
}

}  // namespace
}  // namespace mayfly
