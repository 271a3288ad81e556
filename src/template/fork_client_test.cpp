#include "template/fork_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <string>
#include <vector>

namespace mayfly::tmpl {
namespace {

using testing::ElementsAre;
using wire::ControlType;

/// The other end of its socket is a fork server's, which a template's code can write to as well.
struct ForkClientTest : testing::Test {
  ForkClientTest() {
    auto pair = socket_pair(SOCK_SEQPACKET);
    EXPECT_TRUE(pair);
    server = std::move(pair->theirs);
    client = std::make_shared<ForkClient>(
        io.get_executor(), std::move(pair->ours),
        ForkClient::Handlers{[this](const std::string& json) { heard.push_back("ready " + json); },
                             [this](const std::string& json) { heard.push_back("failed " + json); },
                             [this] { heard.emplace_back("closed"); }});
    client->start();
  }
  ~ForkClientTest() override { client->close(); }

  /// The token of the child that was asked for.
  std::uint64_t ask() {
    const Fd nothing(::dup(0));
    client->fork(Payload{"{}"}, nothing.get(), nothing.get(),
                 {[this](const Result<Fd>& pidfd) { heard.emplace_back(pidfd ? "forked" : "not forked"); },
                  [this](int status, nanoseconds cpu) {
                    heard.push_back("exited " + std::to_string(status));
                    used = cpu;
                  }});
    const auto message = wire::receive_control(server.get());
    EXPECT_TRUE(message && *message);
    return (*message)->token;
  }
  void say(ControlType type, std::uint64_t token, std::uint64_t value = 0, std::string_view payload = {}) {
    EXPECT_TRUE(wire::send_control(server.get(), type, token, value, payload));
  }
  void hear() {
    io.restart();
    io.poll();
  }

  boost::asio::io_context io;
  Fd server;
  std::vector<std::string> heard;
  nanoseconds used{0};
  std::shared_ptr<ForkClient> client;
};

TEST_F(ForkClientTest, ReportsWhatBecomesOfAChild) {
  const auto token = ask();
  say(ControlType::ready, 0, 0, "{}");
  say(ControlType::forked, token, 7);
  const std::uint64_t cpu = 5'000;
  say(ControlType::exited, token, 9, {reinterpret_cast<const char*>(&cpu), sizeof cpu});
  hear();
  EXPECT_EQ(used, nanoseconds(5'000));
  EXPECT_THAT(heard, ElementsAre("ready {}", "forked", "exited 9"));
}

TEST_F(ForkClientTest, WhatIsSaidOfAChildThatThereIsNotIsTheEnd) {
  say(ControlType::fork_failed, 12345, 11, std::string(150'000, 'x'));
  hear();
  EXPECT_THAT(heard, ElementsAre("closed"));
}

TEST_F(ForkClientTest, WhatIsSaidTwiceIsTheEnd) {
  const auto token = ask();
  say(ControlType::forked, token, 7);
  say(ControlType::forked, token, 7);
  say(ControlType::exited, token, 9);
  hear();
  EXPECT_THAT(heard, ElementsAre("forked", "closed"));
}

TEST_F(ForkClientTest, AnEndOfAChildThatWasNotBornIsTheEnd) {
  say(ControlType::exited, ask(), 9);
  hear();
  EXPECT_THAT(heard, ElementsAre("closed"));
}

TEST_F(ForkClientTest, ReadsSoMuchInATurnThatOthersHaveTheirs) {
  std::vector<std::uint64_t> tokens(100);
  for (auto& token : tokens) token = ask();
  for (const auto token : tokens) say(ControlType::forked, token, 7);
  io.restart();
  io.poll_one();
  EXPECT_EQ(heard.size(), 64U);
  hear();
  EXPECT_EQ(heard.size(), 100U);
}

}  // namespace
}  // namespace mayfly::tmpl
