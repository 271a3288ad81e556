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
      log += name;
    }
  }
  void on_room() override { go(); }

  Capacity& capacity;
  std::string name;
  std::string& log;
  int wanted;
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

TEST_F(CapacityTest, ANewcomerWaitsBehindThoseWhoWait) {
  client("a", 4).go();
  client("b", 2).go();
  log.clear();

  auto& c = client("c", 1);
  capacity.give_back();
  c.go();
  EXPECT_EQ(log, "b");
  capacity.give_back();
  capacity.give_back();
  EXPECT_EQ(log, "bbc");
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
