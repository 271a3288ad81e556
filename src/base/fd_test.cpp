#include "base/fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

namespace mayfly {
namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

TEST(Fd, ClosesWhenItEnds) {
  int raw = -1;
  {
    auto pair = socket_pair(SOCK_STREAM);
    ASSERT_TRUE(pair);
    raw = pair->ours.get();
    EXPECT_TRUE(is_open(raw));
  }
  EXPECT_FALSE(is_open(raw));
}

TEST(Fd, MovingLeavesNothingBehind) {
  auto pair = socket_pair(SOCK_STREAM);
  ASSERT_TRUE(pair);
  const int raw = pair->ours.get();
  Fd taken = std::move(pair->ours);
  EXPECT_EQ(taken.get(), raw);
  EXPECT_FALSE(pair->ours);  // NOLINT(bugprone-use-after-move): the state after a move is the subject
  taken = Fd();
  EXPECT_FALSE(is_open(raw));
}

TEST(SocketPair, IsCloseOnExecAndOursDoesNotBlock) {
  auto pair = socket_pair(SOCK_SEQPACKET);
  ASSERT_TRUE(pair);
  EXPECT_TRUE(::fcntl(pair->ours.get(), F_GETFD) & FD_CLOEXEC);
  EXPECT_TRUE(::fcntl(pair->theirs.get(), F_GETFD) & FD_CLOEXEC);
  EXPECT_TRUE(::fcntl(pair->ours.get(), F_GETFL) & O_NONBLOCK);
  EXPECT_FALSE(::fcntl(pair->theirs.get(), F_GETFL) & O_NONBLOCK);
}

}  // namespace
}  // namespace mayfly
