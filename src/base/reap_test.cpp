#include "base/reap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <new>
#include <thread>

#include "base/child.h"
#include "base/fd.h"

namespace mayfly {
namespace {

TEST(PidOf, IsKnownUntilTheProcessIsReaped) {
  auto child = Child::start({.argv = {"sleep", "60"}});
  ASSERT_TRUE(child);
  const Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, child->pid(), 0)));
  EXPECT_EQ(pid_of(pidfd.get()), child->pid());
  child->kill(SIGKILL);
  (void)child->wait();
  EXPECT_EQ(pid_of(pidfd.get()), 0);
}

TEST(PidOf, IsZeroForAnythingElse) {
  auto pair = socket_pair(SOCK_STREAM);
  ASSERT_TRUE(pair);
  EXPECT_EQ(pid_of(pair->ours.get()), 0);
  EXPECT_EQ(pid_of(-1), 0);
}

/// Starts a process in a session of its own whose parent ends at once; its number.
pid_t orphan() {
  auto pair = socket_pair(SOCK_SEQPACKET);
  const pid_t middle = ::fork();
  if (middle == 0) {
    if (::fork() == 0) {
      ::setsid();
      const pid_t self = ::getpid();
      (void)!::write(pair->theirs.get(), &self, sizeof self);
      ::pause();
    }
    ::_exit(0);
  }
  pid_t pid = 0;
  ::waitpid(middle, nullptr, 0);
  while (::read(pair->ours.get(), &pid, sizeof pid) < 0) {
  }
  return pid;
}

TEST(Orphans, AreAdoptedAndEnded) {
  adopt_orphans();
  const pid_t kept = orphan();
  const pid_t stray = orphan();
  EXPECT_THAT(children_of_this_process(), testing::UnorderedElementsAre(kept, stray));
  reap_strays([](pid_t) { return true; });
  EXPECT_EQ(children_of_this_process().size(), 2U) << "none has ended";
  EXPECT_TRUE(end_strays([&](pid_t pid) { return pid != kept; }));
  EXPECT_THAT(children_of_this_process(), testing::ElementsAre(kept));
  ::kill(kept, SIGKILL);
  siginfo_t info{};
  ::waitid(P_PID, static_cast<id_t>(kept), &info, WEXITED | WNOWAIT);
  EXPECT_THAT(children_of_this_process(), testing::ElementsAre(kept)) << "ended, and not reaped";
  reap_strays([](pid_t) { return true; });
  EXPECT_TRUE(children_of_this_process().empty());
}

TEST(Orphans, WhatThisProcessIsWantedForComesBeforeTheRest) {
  adopt_orphans();
  auto pair = socket_pair(SOCK_SEQPACKET);
  if (::fork() == 0) {
    if (::fork() == 0) (void)!::write(pair->theirs.get(), "", 1);
    for (;;) ::pause();
  }
  char there = 0;
  while (::read(pair->ours.get(), &there, 1) < 0) {
  }
  EXPECT_FALSE(end_strays([](pid_t) { return true; }, false, [] { return true; }));
  EXPECT_EQ(children_of_this_process().size(), 1U) << "what the first has left";
  EXPECT_TRUE(end_strays([](pid_t) { return true; }, true));
  EXPECT_TRUE(children_of_this_process().empty());
}

/// Forks for as long as there are fewer than `most` of them, and so do its children.
[[noreturn]] void bomb(std::atomic<int>& alive, int most) {
  for (;;) {
    if (alive.fetch_add(1) < most) {
      if (::fork() == 0) ::setsid();
    } else {
      alive.fetch_sub(1);
    }
    if (::waitpid(-1, nullptr, WNOHANG) > 0) alive.fetch_sub(1);
  }
}

TEST(Orphans, ThatForkFasterThanTheyAreKilledAreEnded) {
  adopt_orphans();
  void* shared = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(shared, MAP_FAILED);
  auto& alive = *new (shared) std::atomic<int>(0);
  constexpr int kMost = 100;
  if (::fork() == 0) bomb(alive, kMost);
  while (alive < kMost) ::sched_yield();
  EXPECT_TRUE(end_strays([](pid_t) { return true; }));
  EXPECT_TRUE(children_of_this_process().empty());
  ::munmap(shared, 4096);
}

/// One process at a time, which is another one by the time that its number is known.
TEST(Orphans, ThatRunAwayAreEnded) {
  adopt_orphans();
  if (::fork() == 0)
    for (;;)
      if (::fork() != 0) ::_exit(0);
  EXPECT_TRUE(end_strays([](pid_t) { return true; }));
  EXPECT_TRUE(children_of_this_process().empty());
}

TEST(IsChildOf, ItIsAskedOfProcessesThatEndMeanwhile) {
  for (int round = 0; round < 3'000; ++round) {
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(0);
    const Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    std::thread reaper([pid] { ::waitpid(pid, nullptr, 0); });
    for (int i = 0; i < 5; ++i) {
      const auto parent = parent_of(pidfd.get());
      EXPECT_TRUE(parent && (*parent == ::getpid() || *parent == 0));
    }
    reaper.join();
  }
}

TEST(IsChildOf, AFileThatIsNamedLikeOneIsNoProcess) {
  const Fd file(::memfd_create("pidfd", MFD_CLOEXEC));
  ASSERT_TRUE(file);
  EXPECT_FALSE(parent_of(file.get()));
}

/// As the daemon is where it is the first process of a container.
TEST(IsChildOf, AProcessWhoseParentIsOutsideIsNobodysChild) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0) ::_exit(2);
    const pid_t first = ::fork();
    if (first == 0) {
      if (::unshare(CLONE_NEWNS) != 0 || ::mount("proc", "/proc", "proc", 0, nullptr) != 0) ::_exit(2);
      const Fd itself(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
      ::_exit(pid_of(itself.get()) == ::getpid() && !parent_of(itself.get()) ? 0 : 1);
    }
    ::_exit(WEXITSTATUS(reap_child(first)));
  }
  const int status = WEXITSTATUS(reap_child(pid));
  if (status == 2) GTEST_SKIP() << "no namespaces here";
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace mayfly
