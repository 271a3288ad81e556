#include "template/fork_server.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/memory_file.h"

namespace mayfly::tmpl {
namespace {

using wire::ControlMessage;
using wire::ControlType;

/// A process that runs a ForkServer; its children write their payload to their channel and then do as it
/// says.
class ForkServerProcess : public testing::Test {
 protected:
  void SetUp() override {
    auto control = socket_pair(SOCK_SEQPACKET);
    ASSERT_TRUE(control);
    control_ = std::move(control->ours);
    server_ = ::fork();
    ASSERT_GE(server_, 0);
    if (server_ == 0) {
      control_.reset();
      ForkServer server(std::move(control->theirs));
      const ForkedChild child = server.run();
      (void)!::write(child.channel.get(), child.payload.data(), child.payload.size());
      if (child.payload == "exit 3") ::_exit(3);
      if (child.payload == "tell files") {
        for (int i = 0; ::fcntl(wire::kFirstFile + i, F_GETFD) == 0; ++i) {  // 0: not close-on-exec
          const auto text = "," + mayfly::read_all(wire::kFirstFile + i).value();
          (void)!::write(child.channel.get(), text.data(), text.size());
        }
        ::_exit(0);
      }
      if (child.payload == "tell offers") {
        if (child.offers && mayfly::read_all(child.offers.get()).value() == "page") ::_exit(0);
        ::_exit(1);
      }
      if (child.payload == "abort") ::raise(SIGKILL);
      if (child.payload == "leave a process") {
        if (::fork() == 0) {
          ::setsid();
          ::pause();  // holds the channel open
        }
        ::_exit(0);
      }
      if (child.payload == "have a helper") have_a_helper(child.channel);
      char byte = 0;
      (void)!::read(child.channel.get(), &byte, 1);  // until the test lets go
      ::_exit(0);
    }
  }
  void TearDown() override {
    control_.reset();
    int status = 0;
    ::waitpid(server_, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "the server ends when its socket closes";
  }

  /// Starts a process that loses its parent, and leaves the channel to it.
  [[noreturn]] static void have_a_helper(const Fd& channel) {
    if (::fork() == 0) {
      if (::fork() != 0) ::_exit(0);
      char byte = 0;
      (void)!::read(channel.get(), &byte, 1);
      (void)!::write(channel.get(), "here", 4);
      ::_exit(0);
    }
    (void)::wait(nullptr);
    (void)!::write(channel.get(), "!", 1);
    for (;;) ::pause();
  }

  Fd fork(std::uint64_t token, std::string_view payload) {
    auto channel = socket_pair(SOCK_STREAM);
    auto log = socket_pair(SOCK_SEQPACKET);
    EXPECT_TRUE(wire::send_control(control_.get(), ControlType::fork, token, 0, payload,
                                   {channel->theirs.get(), log->theirs.get()}));
    return std::move(channel->ours);
  }
  static bool wait_readable(int fd) {
    pollfd p{fd, POLLIN, 0};
    return ::poll(&p, 1, 10'000) == 1;
  }
  ControlMessage next() {
    EXPECT_TRUE(wait_readable(control_.get()));
    auto message = wire::receive_control(control_.get());
    EXPECT_TRUE(message && *message);
    return std::move(**message);
  }
  static std::string read_all(const Fd& fd) {
    std::string text(100, '\0');
    EXPECT_TRUE(wait_readable(fd.get()));
    const auto got = ::read(fd.get(), text.data(), text.size());
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
  }

  Fd control_;
  pid_t server_ = -1;
};

TEST_F(ForkServerProcess, APayloadInAFileIsReadByTheChildAndFilesGetTheirNumbers) {
  auto channel = socket_pair(SOCK_STREAM);
  auto log = socket_pair(SOCK_SEQPACKET);
  const auto document = sealed_file("payload", "tell files").value();
  const auto one = sealed_file("one", "first").value();
  const auto two = sealed_file("two", "second").value();
  ASSERT_TRUE(
      wire::send_control(control_.get(), ControlType::fork, 1, wire::fork_part::kDocument, {},
                         {channel->theirs.get(), log->theirs.get(), document.get(), one.get(), two.get()}));
  channel->theirs.reset();
  std::string told;
  while (wait_readable(channel->ours.get())) {
    const auto part = read_all(channel->ours);
    if (part.empty()) break;
    told += part;
  }
  EXPECT_EQ(told, "tell files,first,second");
}

TEST_F(ForkServerProcess, AChildGetsItsPayloadAndTheDaemonItsPidfd) {
  const Fd channel = fork(7, "hello");
  const auto forked = next();
  EXPECT_EQ(forked.type, ControlType::forked);
  EXPECT_EQ(forked.token, 7U);
  EXPECT_EQ(forked.fds.size(), 1U);
  EXPECT_EQ(read_all(channel), "hello");
}

TEST_F(ForkServerProcess, APageOfOffersComesBehindTheDocument) {
  auto channel = socket_pair(SOCK_STREAM);
  auto log = socket_pair(SOCK_SEQPACKET);
  const auto document = sealed_file("payload", "tell offers").value();
  const auto page = sealed_file("page", "page").value();
  for (const bool in_file : {false, true}) {
    std::vector<int> fds{channel->theirs.get(), log->theirs.get()};
    if (in_file) fds.push_back(document.get());
    fds.push_back(page.get());
    ASSERT_TRUE(wire::send_control(control_.get(), ControlType::fork, 1,
                                   wire::fork_part::kOffers | (in_file ? wire::fork_part::kDocument : 0),
                                   in_file ? "" : "tell offers", fds));
    EXPECT_EQ(next().type, ControlType::forked);
    EXPECT_EQ(next().value, 0U) << in_file;
  }
}

TEST_F(ForkServerProcess, ReportsHowAChildEnded) {
  const Fd channel = fork(1, "exit 3");
  EXPECT_EQ(next().type, ControlType::forked);
  const auto exited = next();
  EXPECT_EQ(exited.type, ControlType::exited);
  EXPECT_EQ(exited.token, 1U);
  EXPECT_EQ(WEXITSTATUS(static_cast<int>(exited.value)), 3);
  std::uint64_t cpu = 0;
  ASSERT_EQ(exited.payload.size(), sizeof cpu);
  std::memcpy(&cpu, exited.payload.data(), sizeof cpu);
  EXPECT_GT(cpu, 0U);
  EXPECT_LT(cpu, 10'000'000'000U);
  const Fd other = fork(2, "abort");
  EXPECT_EQ(next().type, ControlType::forked);
  const auto killed = next();
  EXPECT_EQ(killed.token, 2U);
  EXPECT_TRUE(WIFSIGNALED(static_cast<int>(killed.value)));
}

TEST_F(ForkServerProcess, WhatAChildLeavesBehindEndsWithIt) {
  const Fd channel = fork(1, "leave a process");
  EXPECT_EQ(next().type, ControlType::forked);
  EXPECT_EQ(read_all(channel), "leave a process");
  EXPECT_EQ(next().type, ControlType::exited);
  EXPECT_EQ(read_all(channel), "") << "somebody still holds the channel";
}

TEST_F(ForkServerProcess, WhatAChildHasStartedOutlivesTheEndOfAnother) {
  const Fd first = fork(1, "have a helper");
  EXPECT_EQ(next().type, ControlType::forked);
  std::string told;
  while (!told.ends_with('!')) told += read_all(first);
  const Fd second = fork(2, "exit 3");
  EXPECT_EQ(next().type, ControlType::forked);
  EXPECT_EQ(next().type, ControlType::exited);
  const Fd third = fork(3, "exit 3");  // by then the server is done with all that the second has left
  EXPECT_EQ(next().type, ControlType::forked);
  ASSERT_EQ(::write(first.get(), "?", 1), 1);
  EXPECT_EQ(read_all(first), "here");
  EXPECT_EQ(next().type, ControlType::exited);
}

/// Descriptors that the server waits for.
std::size_t watched(pid_t server) {
  std::size_t count = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/" + std::to_string(server) + "/fdinfo")) {
    std::ifstream info(entry.path());
    for (std::string line; std::getline(info, line);) count += line.starts_with("tfd:") ? 1 : 0;
  }
  return count;
}

TEST_F(ForkServerProcess, AnEndedChildIsWatchedNoMoreThoughTheDaemonKeepsItsPidfd) {
  const Fd channel = fork(1, "exit 3");
  const auto forked = next();  // holds the pidfd, which stays readable for ever
  EXPECT_EQ(next().type, ControlType::exited);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (watched(server_) != 1 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  EXPECT_EQ(watched(server_), 1U) << "of its control socket alone";
}

TEST_F(ForkServerProcess, ManyChildrenAreToldApart) {
  std::vector<Fd> channels;
  for (std::uint64_t i = 0; i < 20; ++i) channels.push_back(fork(i, std::to_string(i)));
  for (std::uint64_t i = 0; i < 20; ++i) EXPECT_EQ(next().type, ControlType::forked);
  for (std::uint64_t i = 0; i < 20; ++i) EXPECT_EQ(read_all(channels[i]), std::to_string(i));
}

TEST_F(ForkServerProcess, ChildrenDieWithTheServer) {
  const Fd channel = fork(1, "stay");
  EXPECT_EQ(read_all(channel), "stay");
  ::kill(server_, SIGKILL);
  EXPECT_EQ(read_all(channel), "");  // end of file: the only other holder of the socket is dead
  int status = 0;
  ::waitpid(server_, &status, 0);
  // TearDown expects a server that ends well: give it one.
  server_ = ::fork();
  if (server_ == 0) ::_exit(0);
}

}  // namespace
}  // namespace mayfly::tmpl
