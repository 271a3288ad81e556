#include "base/descendants.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <vector>

#include "base/fd.h"
#include "base/proc.h"
#include "base/reap.h"

namespace mayfly {
namespace {

Fd pidfd_of(pid_t pid) { return Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

/// Of /proc/PID/stat, when it does not run; '-': it is gone.
char state_of(pid_t pid) {
  for (;;) {
    const auto stat = stat_of(pid);
    if (!stat) return '-';
    if (stat->state != 'R') return stat->state;
    ::sched_yield();
  }
}

pid_t sleeper() {
  const pid_t pid = ::fork();
  if (pid == 0)
    for (;;) ::pause();
  return pid;
}

/// A process with `width` children, each with as many, and so on; the number of all below it. It reaps none.
struct Family {
  explicit Family(int depth, int width = 3) {
    auto pair = socket_pair(SOCK_SEQPACKET);
    root = ::fork();
    if (root == 0) {
      adopt_orphans();
      grow(depth, width, pair->theirs.get());
      for (;;) ::pause();
    }
    for (int i = 0, generation = 1; i < depth; ++i) below += generation *= width;
    for (int i = 0; i < below; ++i) {
      pid_t pid = 0;
      while (::read(pair->ours.get(), &pid, sizeof pid) < 0) ::sched_yield();  // it does not wait itself
      members.push_back(pid);
    }
    pidfd = pidfd_of(root);
  }
  ~Family() {
    // What a failed test has left.
    end_descendants(pidfd.get());
    end_child(root);
  }
  Family(const Family&) = delete;
  Family& operator=(const Family&) = delete;

  static void grow(int depth, int width, int tell) {
    for (int i = 0; depth > 0 && i < width; ++i) {
      if (::fork() != 0) continue;
      const pid_t self = ::getpid();
      (void)!::write(tell, &self, sizeof self);
      grow(depth - 1, width, tell);
      for (;;) ::pause();
    }
  }

  pid_t root = 0;
  int below = 0;
  std::vector<pid_t> members;
  Fd pidfd;
};

void await_gone(const std::vector<pid_t>& pids) {
  for (const pid_t pid : pids)
    for (char state = 'S'; state != '-' && state != 'Z'; state = state_of(pid)) ::sched_yield();
}

TEST(EndDescendants, EndsAllBelowAndStopsTheProcessItself) {
  Family family(3);
  ASSERT_EQ(family.members.size(), 39U);
  const pid_t other = sleeper();
  end_descendants(family.pidfd.get());
  await_gone(family.members);
  EXPECT_EQ(state_of(family.root), 'T');
  EXPECT_EQ(state_of(other), 'S');
  end_child(other);
}

TEST(EndDescendants, AProcessThatHasEndedIsNobody) {
  const pid_t pid = sleeper();
  const Fd pidfd = pidfd_of(pid);
  end_child(pid);
  const pid_t other = sleeper();
  end_descendants(pidfd.get());
  end_descendants(-1);
  EXPECT_EQ(state_of(other), 'S');
  end_child(other);
}

TEST(KnownProcess, ANumberThatAnotherOneHasNowIsNotIts) {
  const pid_t pid = sleeper();
  const auto now = known_process(pid);
  ASSERT_TRUE(now);
  const KnownProcess earlier{pid, now->started - 1};
  EXPECT_FALSE(send_signal(earlier, SIGKILL));
  EXPECT_THAT(stop_with_descendants({earlier}), testing::SizeIs(1));
  EXPECT_TRUE(send_signal(*now, 0)) << "it lives";
  EXPECT_EQ(state_of(pid), 'S') << "and goes on";
  EXPECT_TRUE(send_signal(*now, SIGKILL));
  (void)reap_child(pid);
  EXPECT_FALSE(send_signal(*now, 0));
  EXPECT_FALSE(known_process(pid));
}

}  // namespace
}  // namespace mayfly
