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

#include "base/fd.h"
#include "pool/failure.h"

namespace mayfly::pool {
namespace {

struct FakeInstance final : Limited {
  void end_because(const Error& why) override { ended.push_back(why.message); }
  std::vector<std::string> ended;
};

struct FakePool final : LimitedPool {
  bool sample(std::vector<LimitSample>& samples) override {
    ++asked;
    for (const auto& one : instances) samples.push_back({one.first, one.second, 100, 10});
    return !instances.empty();
  }
  std::vector<std::pair<std::shared_ptr<FakeInstance>, int>> instances;
  int asked = 0;
};

struct LimitWatchTest : testing::Test {
  void pass(milliseconds time) { wheel.advance(now += time); }
  MonotonicTime now = std::chrono::steady_clock::now();
  DeadlineWheel wheel{now};
  std::vector<int> measured;
  std::vector<int> cleared;
  std::function<void()> waiting;  // what was not brought back yet
  LimitWatch watch{wheel,
                   {[this](const std::function<void()>& work, const std::function<void()>& then) {
                      work();
                      waiting = then;
                    },
                    [this](int pid, std::uint64_t) {
                      measured.push_back(pid);
                      return InstanceUsage{pid == 7 ? 101U : 100U, pid == 8 ? 11U : 10U};
                    },
                    [this](int pid) { cleared.push_back(pid); }}};

  FakePool pool;
};

TEST_F(LimitWatchTest, EndsWhatUsesMoreThanItMayAndNothingElse) {
  for (const int pid : {6, 7, 8}) pool.instances.emplace_back(std::make_shared<FakeInstance>(), pid);
  watch.busy(pool);
  pass(LimitWatch::kInterval * 2);
  waiting();
  EXPECT_TRUE(pool.instances[0].first->ended.empty());
  EXPECT_THAT(pool.instances[1].first->ended,
              testing::ElementsAre(testing::HasSubstr("memory limit 100 bytes")));
  EXPECT_THAT(pool.instances[2].first->ended, testing::ElementsAre(testing::HasSubstr("process limit 10")));
  EXPECT_THAT(cleared, testing::ElementsAre(8)) << "what it started goes first";
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
  waiting();
  EXPECT_EQ(wheel.size(), 1U);
}

TEST_F(LimitWatchTest, ManyTakeTurns) {
  for (int pid = 100; pid < 1000; ++pid) pool.instances.emplace_back(std::make_shared<FakeInstance>(), pid);
  for (int turn = 0; turn < 4; ++turn) {
    watch.busy(pool);
    pass(milliseconds(10'000));
    waiting();
  }
  std::ranges::sort(measured);
  const auto [first, last] = std::ranges::unique(measured);
  measured.erase(first, last);
  EXPECT_EQ(measured.size(), 900U) << "some were never looked at";
}

/// A child that holds so much more than this process, waits, and ends with `hold`.
struct Child {
  explicit Child(std::size_t bytes, bool with_child = false) {
    auto pair = socket_pair(SOCK_SEQPACKET);
    pid = ::fork();
    if (pid == 0) {
      if (with_child && ::fork() == 0) ::pause();
      if (bytes > 0)
        std::memset(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1,
                    bytes);
      (void)!::write(pair->theirs.get(), "x", 1);
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
  const Child child(0, true);
  EXPECT_EQ(measure_instance(child.pid, 10).processes, 2U);
  EXPECT_LT(measure_instance(child.pid, 10).memory, 4 * kMiB) << "a fork shares everything";
}

TEST(MeasureInstance, AProcessThatIsGoneUsesNothing) {
  EXPECT_EQ(measure_instance(0x7ffffff0, 10).processes, 0U);
}

}  // namespace
}  // namespace mayfly::pool
