#include "base/reap.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

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

}  // namespace
}  // namespace mayfly
