#include "base/reap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

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
  end_strays([&](pid_t pid) { return pid != kept; });
  EXPECT_THAT(children_of_this_process(), testing::ElementsAre(kept));
  ::kill(kept, SIGKILL);
  siginfo_t info{};
  ::waitid(P_PID, static_cast<id_t>(kept), &info, WEXITED | WNOWAIT);
  EXPECT_THAT(children_of_this_process(), testing::ElementsAre(kept)) << "ended, and not reaped";
  reap_strays([](pid_t) { return true; });
  EXPECT_TRUE(children_of_this_process().empty());
}

}  // namespace
}  // namespace mayfly
