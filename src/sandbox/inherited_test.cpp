#include "sandbox/inherited.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "base/fd.h"
#include "base/reap.h"

namespace mayfly::sandbox {
namespace {

/// Runs it in a child, which owns copies of everything; true if it says so.
template <class F>
bool in_a_child(F act) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(act() ? 0 : 1);
  return reap_child(pid) == 0;
}

TEST(Inherited, WhatIsWrittenThereReachesNobody) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe2(pipe.data(), O_CLOEXEC | O_NONBLOCK), 0);
  const Fd read_end(pipe[0]);
  const Fd write_end(pipe[1]);
  const Fd event(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  auto sockets = socket_pair(SOCK_STREAM);
  EXPECT_TRUE(in_a_child([&] {
    if (!renew_inherited({})) return false;
    std::uint64_t one = 1;
    if (::write(write_end.get(), "x", 1) != 1 || ::write(event.get(), &one, sizeof one) != sizeof one)
      return false;
    (void)!::write(sockets->theirs.get(), "x", 1);
    char got = 0;
    return ::read(read_end.get(), &got, 1) == 1 && got == 'x' &&  // its own pipe has two ends
           (::fcntl(read_end.get(), F_GETFL) & O_NONBLOCK) != 0 &&
           (::fcntl(read_end.get(), F_GETFD) & FD_CLOEXEC) != 0;
  }));
  char got = 0;
  std::uint64_t count = 0;
  EXPECT_EQ(::read(read_end.get(), &got, 1), -1);
  EXPECT_EQ(::read(event.get(), &count, sizeof count), -1);
  EXPECT_EQ(::read(sockets->ours.get(), &got, 1), -1) << "nothing came";
}

TEST(Inherited, WhatIsItsOwnStays) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe2(pipe.data(), O_CLOEXEC | O_NONBLOCK), 0);
  const Fd read_end(pipe[0]);
  const Fd write_end(pipe[1]);
  EXPECT_TRUE(in_a_child([&] { return renew_inherited(pipe) && ::write(write_end.get(), "x", 1) == 1; }));
  char got = 0;
  EXPECT_EQ(::read(read_end.get(), &got, 1), 1);
}

}  // namespace
}  // namespace mayfly::sandbox
