#include "scheduler/capacity.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace mayfly::scheduler {
namespace {

/// Wants `wanted` instances; writes its name into a log for each one it gets.
struct Client final : CapacityClient {
  Client(Capacity& c, std::string n, std::string& l, int w)
      : capacity(c), name(std::move(n)), log(l), wanted(w) {}
  void go() {
    while (wanted > 0 && capacity.take(*this)) {
      --wanted;
      ++has;
      log += name;
    }
  }
  void on_room() override { go(); }
  int holds() const override { return has; }

  Capacity& capacity;
  std::string name;
  std::string& log;
  int wanted;
  int has = 0;
};

struct CapacityTest : testing::Test {
  Client& client(const std::string& name, int wanted) {
    return *clients.emplace_back(std::make_unique<Client>(capacity, name, log, wanted));
  }
  Capacity capacity{4};
  std::string log;
  std::vector<std::unique_ptr<Client>> clients;
};

TEST_F(CapacityTest, GivesUpToItsLimit) {
  auto& a = client("a", 10);
  a.go();
  EXPECT_EQ(log, "aaaa");
  EXPECT_EQ(capacity.used(), 4U);
  EXPECT_TRUE(capacity.wanted());
}

TEST_F(CapacityTest, WhatComesBackGoesInTurnsHoweverMuchOneWants) {
  client("a", 4).go();
  client("b", 100).go();
  client("c", 2).go();
  client("d", 1).go();
  log.clear();
  for (int i = 0; i < 7; ++i) capacity.give_back();
  EXPECT_EQ(log, "bcdbcbb") << "a flooded function gets one turn like every other";
  EXPECT_EQ(capacity.used(), 4U);
}

TEST_F(CapacityTest, WhoHasFewestComesFirstAndIsOwedRoom) {
  auto& a = client("a", 100);
  auto& b = client("b", 1);
  a.go();
  EXPECT_FALSE(capacity.owes(a)) << "it waits itself, and nobody else does";
  b.go();
  EXPECT_TRUE(capacity.owes(a));
  EXPECT_FALSE(capacity.owes(b));
  log.clear();
  --a.has;
  capacity.give_back();
  EXPECT_EQ(log, "b") << "though a had asked before";
  EXPECT_FALSE(capacity.owes(a));
  auto& c = client("c", 3);
  c.go();
  for (int i = 0; i < 3 && capacity.owes(a); ++i) {
    --a.has;
    capacity.give_back();
  }
  EXPECT_EQ(a.has, 2);
  EXPECT_EQ(c.has, 1) << "even shares: nothing is passed to and fro";
}

TEST_F(CapacityTest, ANewcomerDoesNotPassThoseWhoWait) {
  client("a", 4).go();
  auto& b = client("b", 2);
  b.go();
  log.clear();
  auto& c = client("c", 1);
  c.go();
  EXPECT_EQ(log, "");
  for (int i = 0; i < 3; ++i) capacity.give_back();
  EXPECT_EQ(log, "bcb") << "b came first; then c has fewer";
}

TEST_F(CapacityTest, WhoHasLeftIsNotCalled) {
  client("a", 4).go();
  auto& b = client("b", 1);
  auto& c = client("c", 1);
  b.go();
  c.go();
  capacity.forget(b);
  log.clear();
  capacity.give_back();
  EXPECT_EQ(log, "c");
}

TEST_F(CapacityTest, AskingTwiceIsOneTurn) {
  client("a", 4).go();
  auto& b = client("b", 2);
  auto& c = client("c", 1);
  b.go();
  b.go();
  c.go();
  log.clear();
  capacity.give_back();
  capacity.give_back();
  EXPECT_EQ(log, "bc");
}

TEST_F(CapacityTest, MakesRoomByEndingWhatIsIdle) {
  client("a", 4).go();
  int idle = 1;
  capacity.make_room = [&] {
    if (idle-- > 0) capacity.give_back();
  };
  auto& b = client("b", 2);
  b.go();
  EXPECT_EQ(log, "aaaab");
  EXPECT_TRUE(capacity.wanted());
}

TEST_F(CapacityTest, GivingBackTooMuchCountsNothingTwice) {
  capacity.give_back();
  EXPECT_EQ(capacity.used(), 0U);
  client("a", 10).go();
  EXPECT_EQ(log, "aaaa");
}

}  // namespace
}  // namespace mayfly::scheduler
