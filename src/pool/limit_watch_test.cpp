#include "pool/limit_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <latch>
#include <map>
#include <set>
#include <thread>

#include "base/fd.h"
#include "pool/failure.h"

namespace mayfly::pool {
namespace {

struct FakeInstance final : Limited {
  void end_because(const Error& why) override { ended.push_back(why.message); }
  void note_excess(const Error& why) override { excess = why.message; }
  Fd process() const override { return Fd(::memfd_create("process", MFD_CLOEXEC)); }
  std::vector<std::string> ended;
  std::string excess;
};

struct FakePool final : LimitedPool {
  bool sample(std::vector<LimitSample>& samples) override {
    ++asked;
    for (const auto& one : instances) samples.push_back({one.first, one.second, 100, processes});
    return !instances.empty();
  }
  bool sample_idle(std::vector<LimitSample>& samples) override {
    for (const auto& one : idle) samples.push_back({one.first, one.second, 100, processes});
    return !idle.empty();
  }
  std::vector<std::pair<std::shared_ptr<FakeInstance>, int>> instances;
  std::vector<std::pair<std::shared_ptr<FakeInstance>, int>> idle;
  std::uint64_t processes = 10;
  int asked = 0;
};

struct LimitWatchTest : testing::Test {
  using Lane = LimitWatch::Lane;
  void pass(milliseconds time) { wheel.advance(now += time); }
  /// Another interval; looks are done at once, and what comes of them is brought back.
  void turn() {
    pass(LimitWatch::kInterval * 4);
    come_back(Lane::looks);
  }
  void come_back(Lane lane) {
    auto& those = waiting[lane];
    const auto now_there = std::exchange(those, {});
    for (const auto& then : now_there) then();
  }
  [[nodiscard]] auto looks_at(int pid) const { return std::ranges::count(measured, pid); }

  MonotonicTime now = std::chrono::steady_clock::now();
  DeadlineWheel wheel{now};
  std::vector<int> measured;
  std::vector<int> measured_exactly;
  std::map<int, std::uint64_t> processes;  // that one has; 1
  int cleared = 0;
  std::map<Lane, std::vector<std::function<void()>>> waiting;  // what was not brought back yet
  LimitWatch watch{wheel,
                   {[this](Lane lane, const std::function<void()>& work, const std::function<void()>& then) {
                      work();
                      waiting[lane].push_back(then);
                    },
                    [this](int pid, std::uint64_t most) {
                      measured.push_back(pid);
                      const auto has = processes.contains(pid) ? processes.at(pid) : 1;
                      return InstanceUsage{pid == 7 ? 101U : 100U, std::min(has, most + 1),
                                           pid == 20 || pid == 21 ? 150U : 100U};
                    },
                    [this](int) { ++cleared; },
                    [this](int pid, std::uint64_t) {
                      measured_exactly.push_back(pid);
                      return std::uint64_t{pid == 21 ? 101U : 100U};
                    }}};

  FakePool pool;
};

TEST_F(LimitWatchTest, EndsWhatUsesMoreThanItMayAndNothingElse) {
  processes[8] = 11;
  for (const int pid : {6, 7, 8}) pool.instances.emplace_back(std::make_shared<FakeInstance>(), pid);
  watch.busy(pool);
  turn();
  EXPECT_TRUE(pool.instances[0].first->ended.empty());
  EXPECT_THAT(pool.instances[1].first->ended,
              testing::ElementsAre(testing::HasSubstr("memory limit 100 bytes")));
  EXPECT_EQ(cleared, 1) << "what it started goes first";
  EXPECT_TRUE(pool.instances[2].first->ended.empty());
  EXPECT_THAT(pool.instances[2].first->excess, testing::HasSubstr("process limit 10"))
      << "should something else end it meanwhile";
  come_back(Lane::ends);
  EXPECT_THAT(pool.instances[2].first->ended, testing::ElementsAre(testing::HasSubstr("process limit 10")));
}

TEST_F(LimitWatchTest, WhatMayHaveTooMuchIsMeasuredExactly) {
  for (const int pid : {6, 20, 21}) pool.instances.emplace_back(std::make_shared<FakeInstance>(), pid);
  watch.busy(pool);
  turn();
  for (int i = 0; i < 3; ++i) {
    turn();
    come_back(Lane::large_ones);
  }
  EXPECT_THAT(std::set(measured_exactly.begin(), measured_exactly.end()), testing::ElementsAre(20, 21));
  EXPECT_TRUE(pool.instances[1].first->ended.empty());
  EXPECT_THAT(pool.instances[2].first->ended,
              testing::Contains(testing::HasSubstr("memory limit 100 bytes")));
}

TEST_F(LimitWatchTest, IdleOnesOfGuardedPoolsAreLookedAtNowAndThen) {
  pool.idle.emplace_back(std::make_shared<FakeInstance>(), 7);
  watch.guard(pool);
  pass(LimitWatch::kIdleInterval / 2);
  EXPECT_EQ(looks_at(7), 0);
  pass(LimitWatch::kIdleInterval);
  come_back(Lane::looks);
  EXPECT_EQ(looks_at(7), 1);
  EXPECT_EQ(pool.idle[0].first->ended.size(), 1U);
  pool.idle.clear();
  pass(LimitWatch::kIdleInterval * 2);
  const auto asked = pool.asked;
  pass(LimitWatch::kIdleInterval * 20);
  EXPECT_EQ(pool.asked, asked);
  EXPECT_EQ(looks_at(7), 1) << "nothing is left in it";
}

TEST_F(LimitWatchTest, IdleOnesAreLookedAtBesideBusyOnes) {
  pool.instances.emplace_back(std::make_shared<FakeInstance>(), 6);
  pool.idle.emplace_back(std::make_shared<FakeInstance>(), 8);
  watch.guard(pool);
  watch.busy(pool);
  for (int i = 0; i < 60; ++i) {
    pass(LimitWatch::kInterval);
    come_back(Lane::looks);
  }
  EXPECT_GE(looks_at(6), 50);
  EXPECT_GE(looks_at(8), 2);
  EXPECT_LE(looks_at(8), 3);
}

TEST_F(LimitWatchTest, ThoseWithManyProcessesDelayNobody) {
  processes[8] = 500;
  FakePool large;
  large.processes = 1000;
  large.instances.emplace_back(std::make_shared<FakeInstance>(), 8);
  pool.instances.emplace_back(std::make_shared<FakeInstance>(), 6);
  watch.busy(pool);
  watch.busy(large);
  for (int i = 0; i < 5; ++i) turn();  // and the look at the large one takes all this time
  EXPECT_EQ(looks_at(6), 5);
  EXPECT_EQ(looks_at(8), 2) << "one that showed that it is large, one that goes on";
  come_back(Lane::large_ones);
  for (int i = 0; i < 2; ++i) turn();
  EXPECT_EQ(looks_at(8), 3) << "it may use more than it should later";
  EXPECT_EQ(looks_at(6), 7);
}

TEST_F(LimitWatchTest, WhatIsBeingEndedIsNotLookedAtAgainAndDelaysNobody) {
  processes[8] = 500;
  for (const int pid : {6, 8}) pool.instances.emplace_back(std::make_shared<FakeInstance>(), pid);
  pool.processes = 100;
  watch.busy(pool);
  turn();
  turn();
  come_back(Lane::large_ones);
  EXPECT_EQ(cleared, 1);
  for (int i = 0; i < 5; ++i) turn();  // and it takes all this time
  EXPECT_EQ(looks_at(6), 7);
  EXPECT_EQ(looks_at(8), 2);
  EXPECT_EQ(cleared, 1);
  come_back(Lane::ends);
  EXPECT_THAT(pool.instances[1].first->ended, testing::ElementsAre(testing::HasSubstr("process limit 100")));
}

TEST_F(LimitWatchTest, FunctionsWithLargeInstancesTakeTurns) {
  FakePool bombs;
  bombs.processes = pool.processes = 1000;
  for (int pid = 100; pid < 150; ++pid) {
    processes[pid] = 500;
    bombs.instances.emplace_back(std::make_shared<FakeInstance>(), pid);
  }
  processes[8] = 20;
  pool.instances.emplace_back(std::make_shared<FakeInstance>(), 8);
  watch.busy(bombs);
  watch.busy(pool);
  turn();
  turn();
  measured.clear();
  for (int i = 0; i < 3; ++i) come_back(Lane::large_ones);
  EXPECT_EQ(looks_at(8), 1) << "the second look of these three, or the first";
}

TEST_F(LimitWatchTest, OneThatHasBecomeSmallIsOneOfManyAgain) {
  processes[8] = 500;
  pool.processes = 1000;
  pool.instances.emplace_back(std::make_shared<FakeInstance>(), 8);
  watch.busy(pool);
  turn();
  processes[8] = 3;
  turn();
  come_back(Lane::large_ones);
  measured.clear();
  for (int i = 0; i < 3; ++i) turn();
  EXPECT_EQ(looks_at(8), 3);
  EXPECT_TRUE(waiting[Lane::large_ones].empty());
}

TEST_F(LimitWatchTest, DoesNotWakeWhileNothingWorks) {
  pass(LimitWatch::kInterval * 4);
  EXPECT_EQ(wheel.size(), 0U);
  watch.busy(pool);
  EXPECT_EQ(wheel.size(), 1U);
  pass(LimitWatch::kInterval * 2);
  EXPECT_EQ(pool.asked, 1);
  EXPECT_EQ(wheel.size(), 0U) << "nothing has worked";
  watch.busy(pool);
  EXPECT_EQ(wheel.size(), 1U);
}

TEST_F(LimitWatchTest, OneTurnEndsBeforeTheNextBegins) {
  pool.instances.emplace_back(std::make_shared<FakeInstance>(), 6);
  watch.busy(pool);
  pass(LimitWatch::kInterval * 2);
  watch.busy(pool);
  pass(LimitWatch::kInterval * 2);
  EXPECT_EQ(measured.size(), 1U);
  come_back(Lane::looks);
  EXPECT_EQ(wheel.size(), 1U);
}

TEST_F(LimitWatchTest, ManyTakeTurns) {
  for (int pid = 100; pid < 1000; ++pid) pool.instances.emplace_back(std::make_shared<FakeInstance>(), pid);
  for (int turn = 0; turn < 4; ++turn) {
    watch.busy(pool);
    pass(milliseconds(10'000));
    come_back(Lane::looks);
  }
  std::ranges::sort(measured);
  const auto [first, last] = std::ranges::unique(measured);
  measured.erase(first, last);
  EXPECT_EQ(measured.size(), 900U) << "some were never looked at";
}

/// A child that holds so much more than this process, waits, and ends with `hold`.
struct Child {
  enum class Its { nothing, sharing, copying };  ///< its own child, which has the same bytes
  explicit Child(std::size_t bytes, Its child = Its::nothing) {
    auto pair = socket_pair(SOCK_SEQPACKET);
    pid = ::fork();
    if (pid == 0) {
      void* memory = nullptr;
      if (bytes > 0) {
        memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        std::memset(memory, 1, bytes);
      }
      if (child == Its::nothing || ::fork() == 0) {
        if (child == Its::copying) std::memset(memory, 2, bytes);
        (void)!::write(pair->theirs.get(), "x", 1);
      }
      ::pause();
    }
    char byte = 0;
    while (::read(pair->ours.get(), &byte, 1) < 0) {
    }
  }
  ~Child() {
    for (const auto one : {first_child(), pid})
      if (one > 0) ::kill(one, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
  [[nodiscard]] pid_t first_child() const {
    const auto path = "/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid) + "/children";
    std::unique_ptr<FILE, int (*)(FILE*)> file(::fopen(path.c_str(), "r"), ::fclose);
    pid_t child = 0;
    return file && ::fscanf(file.get(), "%d", &child) == 1 ? child : 0;
  }
  pid_t pid = 0;
};

constexpr std::uint64_t kMiB = 1U << 20U;

TEST(MeasureInstance, CountsWhatItHasMoreThanItsTemplate) {
  std::vector<char> of_template(64 * kMiB, 1);
  EXPECT_LT(measure_instance(Child(0).pid, 10).memory, 2 * kMiB);
  const Child child(20 * kMiB);
  const auto usage = measure_instance(child.pid, 10);
  EXPECT_GE(usage.memory, 19 * kMiB);
  EXPECT_LT(usage.memory, 24 * kMiB);
  EXPECT_EQ(usage.processes, 1U);
  EXPECT_EQ(of_template.back(), 1);
}

TEST(MeasureInstance, CountsItsProcessesToo) {
  const Child child(0, Child::Its::sharing);
  EXPECT_EQ(measure_instance(child.pid, 10).processes, 2U);
  EXPECT_LT(measure_instance(child.pid, 10).memory, 4 * kMiB) << "a fork shares everything";
}

/// Of which each has written to what it shared with the other. What this process has is taken off, which is
/// much with a sanitizer.
TEST(MeasureInstance, CopiesOfWhatItsProcessesSharedAreSeen) {
  const Child child(100 * kMiB, Child::Its::copying);
  const auto usage = measure_instance(child.pid, 10);
  EXPECT_LT(usage.memory, 104 * kMiB);
  EXPECT_GE(usage.memory_most, 198 * kMiB);
  const auto exact = measure_memory(child.pid, 10);
  EXPECT_GE(exact, 140 * kMiB);
  EXPECT_LT(exact, 206 * kMiB);
}

TEST(MeasureInstance, WhatItsProcessesShareCountsOnce) {
  const Child child(20 * kMiB, Child::Its::sharing);
  EXPECT_GE(measure_instance(child.pid, 10).memory_most, 38 * kMiB);
  EXPECT_LT(measure_memory(child.pid, 10), 24 * kMiB);
}

TEST(MeasureInstance, StopsAtTheNumberThatIsAskedFor) {
  std::latch end(1);
  std::vector<std::jthread> threads;
  for (int i = 0; i < 5; ++i) threads.emplace_back([&] { end.wait(); });
  EXPECT_EQ(measure_instance(::getpid(), 10).processes, 6U);
  EXPECT_EQ(measure_instance(::getpid(), 2).processes, 3U) << "one more than asked for";
  end.count_down();
}

TEST(MeasureInstance, AProcessThatIsGoneUsesNothing) {
  EXPECT_EQ(measure_instance(0x7ffffff0, 10).processes, 0U);
}

}  // namespace
}  // namespace mayfly::pool
