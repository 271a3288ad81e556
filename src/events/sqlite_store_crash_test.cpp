// A process with a store is killed at any moment: what it was told is there afterwards.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <random>

#include "base/fd.h"
#include "events/store_test_support.h"

namespace mayfly::events {
namespace {

/// What the process that is killed says it was told. Small enough to be written to a pipe as a whole.
struct Told {
  Position position = 0;
  std::uint64_t check = 0;
  bool recorded = false;  ///< else accepted
};

/// Appends without end, many at once, and records that every third has succeeded; says what it was told.
class Worker {
 public:
  Worker(EventStore& store, Fd& out, QueueInfo queue) : store_(store), out_(out), queue_(std::move(queue)) {}

  void append() {
    auto event = event_with(queue_.stream, std::string(300, 'x'));
    event.idempotency_key = std::to_string(::getpid()) + "/" + std::to_string(next_key_++);
    store_.append({std::move(event)}, [this](Result<std::vector<Accepted>> accepted) {
      if (!accepted) ::_exit(2);
      const auto mine = accepted->front().event;
      say({mine->position, mine->check, false});
      if (mine->position % 3 == 0) record(*mine);
      append();
    });
  }

 private:
  void record(const Event& event) {
    const Outcome done{.queue = queue_.id,
                       .stream = event.stream,
                       .position = event.position,
                       .state = State::succeeded,
                       .attempts = 1,
                       .attempt = Attempt{.version = "hello@1"}};
    store_.record({done}, {}, [this, told = Told{event.position, event.check, true}](auto recorded) {
      if (!recorded) ::_exit(3);
      say(told);
    });
  }
  void say(const Told& told) {
    if (::write(out_.get(), &told, sizeof told) != static_cast<ssize_t>(sizeof told)) ::_exit(4);
  }

  EventStore& store_;
  Fd& out_;
  QueueInfo queue_;
  int next_key_ = 0;  ///< counted where append() is called: first here, then on the store's thread
};

class CrashTest : public StoreTest {
 protected:
  struct Process {
    pid_t pid = 0;
    Fd told;
    ~Process() {
      if (pid == 0) return;
      ::kill(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
  };
  /// No thread but this one is there when it is called.
  void start(Process& process) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    process.told = Fd(ends[0]);
    Fd out(ends[1]);
    process.pid = ::fork();
    ASSERT_GE(process.pid, 0);
    if (process.pid > 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    work(out);
  }
  [[noreturn]] void work(Fd& out) {
    auto store = AskedStore::open({.file = file()});
    Worker worker(*store.operator->(), out, store.queue("t>f", store.stream().id));
    // The first is alone until it is told; from then on only the store's thread calls.
    store->streams([&](auto) {
      for (int i = 0; i < 16; ++i) worker.append();
    });
    for (;;) ::pause();
  }

  std::map<Position, std::uint64_t> accepted_;
  std::vector<Position> recorded_;

  /// All that a process said until it had said `count` things and was killed.
  void run_and_kill(int count) {
    Process process;
    start(process);
    for (int said = 0;; ++said) {
      if (said == count) ::kill(process.pid, SIGKILL);
      Told told;
      const auto got = ::read(process.told.get(), &told, sizeof told);
      if (got == 0) break;
      ASSERT_EQ(got, static_cast<ssize_t>(sizeof told));
      if (told.recorded) {
        recorded_.push_back(told.position);
      } else {
        ASSERT_TRUE(accepted_.emplace(told.position, told.check).second) << "a position was used twice";
      }
    }
    int status = 0;
    ASSERT_EQ(::waitpid(std::exchange(process.pid, 0), &status, 0) > 0, true);
    ASSERT_TRUE(WIFSIGNALED(status)) << "it ended by itself: " << status;
  }
  void check() {
    auto store = open();
    const auto queue = store.queue("t>f", store.stream().id);
    std::map<Position, std::uint64_t> kept;
    Position after = 0;
    for (auto some = store.read(queue.stream); !some.empty(); some = store.read(queue.stream, after)) {
      for (const auto& event : some) {
        ASSERT_EQ(event->body, std::string(300, 'x'));
        kept[event->position] = event->check;
      }
      after = some.back()->position;
    }
    for (const auto& [position, check] : accepted_) {
      ASSERT_TRUE(kept.contains(position)) << position;
      ASSERT_EQ(kept[position], check);
    }
    EXPECT_EQ(kept.size(), kept.rbegin()->first) << "positions have gaps";
    accepted_ = kept;  // what was accepted without anybody being told stays, too
    const auto rows = store.with_rows(queue.id, 0, UINT64_MAX);
    EXPECT_THAT(rows, testing::IsSupersetOf(recorded_));
    EXPECT_EQ(store.count(queue.id)[State::succeeded], rows.size());
    recorded_ = rows;
  }
};

TEST_F(CrashTest, WhatWasAcknowledgedIsThereAfterSigkillAtAnyMoment) {
  std::mt19937 random(std::random_device{}());
  for (int round = 0; round < 6; ++round) {
    run_and_kill(std::uniform_int_distribution(1, 2'000)(random));
    check();
    ASSERT_FALSE(HasFailure()) << "round " << round;
  }
}

}  // namespace
}  // namespace mayfly::events
