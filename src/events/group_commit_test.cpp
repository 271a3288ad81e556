#include "events/group_commit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <numeric>
#include <thread>

#include "events/store.h"
#include "store/database.h"

namespace mayfly::events {
namespace {

using store::StoreErrc;
using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

/// A call that says what happens to it.
class FakeCall final : public Call {
 public:
  struct Said {
    std::function<Result<void>()> run = [] { return Result<void>(); };
    std::function<void(const Error*)> tell = [](const Error*) {};
    std::function<bool()> is_done = [] { return true; };
    std::function<void()> forget = [] {};
  };
  FakeCall(Kind kind, std::size_t weight, Said said) : Call(kind, weight), said_(std::move(said)) {}
  Result<void> run() override { return said_.run(); }
  bool is_done() override { return said_.is_done(); }
  void tell(const Error* failed) override { said_.tell(failed); }
  void forget() override { said_.forget(); }

 private:
  Said said_;
};

class GroupCommitTest : public testing::Test {
 protected:
  /// A store of numbers: a transaction that fails leaves none of what it added.
  Result<void> transaction(const std::function<Result<void>()>& work) {
    const auto before = kept_;
    ++transactions_;
    auto done = work();
    if (done && next_commit_fails_.exchange(false)) done = fail(StoreErrc::io, "the commit failed");
    if (done && disk_fails_ != StoreErrc{}) done = fail(disk_fails_.load(), "the disk fails");
    if (!done) kept_ = before;
    return done;
  }
  void start(GroupCommit::Bounds bounds = {}) {
    owner_ = std::make_unique<GroupCommit>([this](const auto& work) { return transaction(work); }, bounds);
    group_ = owner_.get();
  }
  void put(Call::Kind kind, std::size_t weight, FakeCall::Said said) {
    group_->put(std::make_unique<FakeCall>(kind, weight, std::move(said)));
  }
  /// Keeps a number; `told_` has it, negative if it failed.
  void keep(int number, Call::Kind kind = Call::Kind::append, std::size_t weight = 1) {
    put(kind, weight,
        {.run = [this, number]() -> Result<void> {
           kept_.push_back(number);
           if (number == bad_) return fail(StoreErrc::failed, "a bad one");
           return {};
         },
         .tell =
             [this, number](const Error* failed) {
               told_.push_back(failed == nullptr ? number : -number);
               if (failed != nullptr) errors_.push_back(*failed);
             }});
  }
  /// The thread is held until the answer is set, so that what is put meanwhile is one group.
  std::promise<void> hold() {
    std::promise<void> release;
    auto held = std::make_shared<std::promise<void>>();
    auto is_held = held->get_future();
    put(Call::Kind::write, 0,
        {.run = [until = release.get_future().share(), held, once = false]() mutable -> Result<void> {
          if (!std::exchange(once, true)) held->set_value();
          until.wait();
          return {};
        }});
    is_held.wait();
    return release;
  }
  void finish() { owner_.reset(); }

  // The thread's, until finish().
  std::vector<int> kept_;
  std::vector<int> told_;
  std::vector<Error> errors_;
  int transactions_ = 0;
  std::atomic<bool> next_commit_fails_ = false;
  std::atomic<StoreErrc> disk_fails_{};
  std::atomic<int> bad_ = 0;
  std::unique_ptr<GroupCommit> owner_;
  GroupCommit* group_ = nullptr;  ///< also while it ends
};

std::vector<int> numbers(int from, int to) {
  std::vector<int> all(static_cast<std::size_t>(to - from + 1));
  std::iota(all.begin(), all.end(), from);
  return all;
}

TEST_F(GroupCommitTest, WhatWaitsIsOneTransactionAndIsToldInOrder) {
  start();
  auto release = hold();
  for (int i = 1; i <= 100; ++i) keep(i);
  EXPECT_EQ(group_->waiting(), 101U);
  release.set_value();
  finish();
  EXPECT_EQ(transactions_, 2);
  EXPECT_EQ(kept_, numbers(1, 100));
  EXPECT_EQ(told_, numbers(1, 100));
}

TEST_F(GroupCommitTest, SeveralThreadsNeedFewerCommitsThanCalls) {
  start();
  auto release = hold();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&, i] {
      for (int j = 1; j <= 50; ++j) keep(1'000 * i + j);
    });
  for (auto& thread : threads) thread.join();
  release.set_value();
  finish();
  EXPECT_EQ(transactions_, 2);
  ASSERT_THAT(told_, SizeIs(200));
  EXPECT_EQ(kept_, told_);
}

TEST_F(GroupCommitTest, OnlyTheCulpritOfAGroupFails) {
  start();
  bad_ = 3;
  auto release = hold();
  for (int i = 1; i <= 5; ++i) keep(i);
  release.set_value();
  finish();
  EXPECT_THAT(told_, ElementsAre(1, 2, -3, 4, 5));
  EXPECT_THAT(kept_, ElementsAre(1, 2, 4, 5));
  ASSERT_THAT(errors_, SizeIs(1));
  EXPECT_EQ(errors_[0].message, "a bad one");
}

TEST_F(GroupCommitTest, ACommitThatFailsOnceFailsNobody) {
  start();
  auto release = hold();
  for (int i = 1; i <= 3; ++i) keep(i);
  release.set_value();
  next_commit_fails_ = true;  // of the first or of the second group
  finish();
  EXPECT_THAT(told_, ElementsAre(1, 2, 3));
  EXPECT_THAT(kept_, ElementsAre(1, 2, 3));
}

TEST_F(GroupCommitTest, ADiskThatFailsIsNotAskedForEachOfAGroup) {
  for (const auto how : {StoreErrc::io, StoreErrc::busy}) {
    transactions_ = 0;
    told_.clear();
    start();
    auto release = hold();
    for (int i = 1; i <= 100; ++i) keep(i);
    disk_fails_ = how;
    release.set_value();
    finish();
    EXPECT_THAT(kept_, IsEmpty());
    EXPECT_THAT(told_, SizeIs(100));
    EXPECT_THAT(told_, Each(testing::Lt(0)));
    EXPECT_LE(transactions_, 4) << "two of the one that held, two of the others";
    disk_fails_ = StoreErrc{};
  }
}

TEST_F(GroupCommitTest, AFullDiskIsAskedForEachBecauseASmallOneMayFit) {
  start();
  auto release = hold();
  for (int i = 1; i <= 10; ++i) keep(i);
  disk_fails_ = StoreErrc::full;
  release.set_value();
  finish();
  EXPECT_THAT(told_, Each(testing::Lt(0)));
  EXPECT_EQ(transactions_, 2 + 1 + 10);
}

TEST_F(GroupCommitTest, ReadsThatWaitRefuseNoAppends) {
  start({.calls = 1'000, .bytes = 1'000});
  auto release = hold();
  for (int i = 1; i <= 100; ++i) keep(i, Call::Kind::read, 0);
  keep(101, Call::Kind::append, 900);
  release.set_value();
  finish();
  EXPECT_EQ(told_, numbers(1, 101));
  EXPECT_EQ(transactions_, 2) << "64 reads, which are a group and need none; the rest with the append";
}

TEST_F(GroupCommitTest, ReadsAloneNeedNoTransaction) {
  start();
  std::promise<bool> told;
  put(Call::Kind::read, 0, {.tell = [&](const Error* failed) { told.set_value(failed == nullptr); }});
  EXPECT_TRUE(told.get_future().get());
  put(Call::Kind::read, 0,
      {.run = []() -> Result<void> { return fail(StoreErrc::io, "unreadable"); },
       .tell = [&](const Error* failed) { errors_.push_back(*failed); }});
  finish();
  EXPECT_EQ(transactions_, 0);
  EXPECT_THAT(errors_, SizeIs(1));
}

TEST_F(GroupCommitTest, TooManyCallsAreRefusedInTheirTurn) {
  start({.calls = 3, .bytes = 1'000});
  auto release = hold();
  keep(1);
  keep(2);
  int forgotten = 0;
  put(Call::Kind::append, 1,
      {.run = [this]() -> Result<void> {
         kept_.push_back(0);
         return {};
       },
       .tell =
           [this](const Error* failed) {
             told_.push_back(0);
             ASSERT_NE(failed, nullptr);
             EXPECT_EQ(failed->code, EventsErrc::store_full);
           },
       .forget = [&] { ++forgotten; }});
  EXPECT_EQ(forgotten, 1) << "what it held is not kept until it is told";
  keep(3, Call::Kind::write);
  keep(4, Call::Kind::read);
  keep(5, Call::Kind::write);  // calls: more than twice the bound
  release.set_value();
  finish();
  EXPECT_THAT(told_, ElementsAre(1, 2, 0, 3, 4, -5));
  EXPECT_THAT(kept_, ElementsAre(1, 2, 3, 4));
}

TEST_F(GroupCommitTest, TooManyBytesAreRefusedUntilTheyAreWritten) {
  start({.calls = 100, .bytes = 1'000});
  auto release = hold();
  keep(1, Call::Kind::append, 1'001);  // the first goes, whatever its size
  keep(2, Call::Kind::append, 1);
  keep(3, Call::Kind::write, 1);
  release.set_value();
  std::promise<void> passed;
  put(Call::Kind::write, 0, {.tell = [&](const Error*) { passed.set_value(); }});
  passed.get_future().wait();
  keep(4, Call::Kind::append, 1);
  finish();
  EXPECT_THAT(told_, ElementsAre(1, -2, 3, 4));
}

TEST_F(GroupCommitTest, AGroupIsBounded) {
  start();
  auto release = hold();
  for (int i = 1; i <= 3; ++i) keep(i, Call::Kind::append, 7U << 20U);
  for (int i = 4; i <= 5'003; ++i) keep(i);
  release.set_value();
  finish();
  EXPECT_EQ(told_, numbers(1, 5'003));
  EXPECT_EQ(transactions_, 4);  // the one that held; two large ones; up to 4,096; the rest
}

TEST_F(GroupCommitTest, WorkInPiecesLeavesOthersTheirTurn) {
  start();
  auto release = hold();
  int pieces = 0;
  put(Call::Kind::write, 0,
      {.tell = [&](const Error*) { told_.push_back(100 + pieces); },
       .is_done = [&] { return ++pieces == 3; }});
  keep(1);
  release.set_value();
  std::promise<void> passed;
  put(Call::Kind::read, 0, {.tell = [&](const Error*) { passed.set_value(); }});
  passed.get_future().wait();
  while (group_->waiting() > 0) std::this_thread::yield();
  finish();
  EXPECT_THAT(told_, ElementsAre(1, 103));
}

TEST_F(GroupCommitTest, TheEndFinishesWhatWaitsAndRefusesTheRest) {
  start({.calls = std::size_t{1} << 40U});
  auto release = hold();
  for (int i = 1; i <= 10; ++i) keep(i);
  put(Call::Kind::append, 1, {.tell = [&](const Error*) { keep(11); }});  // while it ends
  put(Call::Kind::write, 0,
      {.tell = [&](const Error*) { told_.push_back(50); }, .is_done = [] { return false; }});
  auto end = std::async(std::launch::async, [&] { finish(); });
  // Whether the end has begun shows when a call is refused.
  std::atomic<bool> ending = false;
  while (!ending) {
    put(Call::Kind::read, 0, {.forget = [&] { ending = true; }});
    std::this_thread::yield();
  }
  release.set_value();
  end.wait();
  auto expected = numbers(1, 10);
  expected.push_back(50);
  expected.push_back(-11);
  EXPECT_EQ(told_, expected);
  EXPECT_EQ(kept_, numbers(1, 10));
  EXPECT_EQ(errors_.at(0).code, EventsErrc::store_failed);
}

}  // namespace
}  // namespace mayfly::events
