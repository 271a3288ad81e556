#include "template/runtime_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <cstdlib>

#include "template/fork_server.h"

namespace mayfly::tmpl {
namespace {

constexpr const char* kServes = "MAYFLY_TEST_SERVES";

/// This program, started by itself, is a runtime process whose children end at once.
const bool kIsTheTest = [] {
  if (std::getenv(kServes) == nullptr) return true;
  ForkServer server{Fd(3)};
  const auto child = server.run();
  char byte = 0;
  if (child.payload == "stay") (void)!::read(child.channel.get(), &byte, 1);
  ::_exit(0);
}();

Fd nowhere() { return Fd(::open("/dev/null", O_RDWR | O_CLOEXEC)); }

TEST(RuntimeProcess, TakesMoreRequestsAtOnceThanItsSocketHolds) {
  ASSERT_TRUE(kIsTheTest);
  boost::asio::io_context io;
  const auto runtime = std::make_shared<RuntimeProcess>(
      io, RuntimeSpec{"test", {"/proc/self/exe"}, {std::string(kServes) + "=1"}},
      RuntimeEvents{[](const std::string& what) { ADD_FAILURE() << what; }});
  runtime->start();
  constexpr int kRequests = 300;
  int made = 0, ended = 0;
  std::vector<std::string> errors;
  for (int i = 0; i < kRequests; ++i) {
    ChildHandlers child;
    child.forked = [&](Result<Fd> pidfd) {
      if (pidfd)
        ++made;
      else
        errors.push_back(pidfd.error().message);
    };
    child.exited = [&](int, nanoseconds) { ++ended; };
    runtime->fork({.json = std::string(8'000, 'x')}, nowhere(), nowhere(), io.get_executor(),
                  std::move(child));
  }
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (ended + static_cast<int>(errors.size()) < kRequests && std::chrono::steady_clock::now() < end)
    io.run_one_for(milliseconds(10));
  EXPECT_EQ(made, kRequests);
  EXPECT_EQ(ended, kRequests);
  EXPECT_TRUE(errors.empty()) << errors.size() << " times: " << errors.front();
  runtime->stop();
}

TEST(RuntimeProcess, EndsWhenNobodyNeedsItAndComesBack) {
  boost::asio::io_context io;
  const auto runtime = std::make_shared<RuntimeProcess>(
      io, RuntimeSpec{"test", {"/proc/self/exe"}, {std::string(kServes) + "=1"}},
      RuntimeEvents{[](const std::string& what) { ADD_FAILURE() << what; }});
  int made = 0, ended = 0;
  const auto fork = [&](std::string json, Fd channel) {
    ChildHandlers child;
    child.forked = [&](Result<Fd> pidfd) { made += pidfd ? 1 : 0; };
    child.exited = [&](int, nanoseconds) { ++ended; };
    runtime->fork({.json = std::move(json)}, std::move(channel), nowhere(), io.get_executor(),
                  std::move(child));
  };
  const auto until = [&](const int& count, int wanted) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (count < wanted && std::chrono::steady_clock::now() < end) io.run_one_for(milliseconds(10));
    return count == wanted;
  };
  runtime->start();
  auto channel = socket_pair(SOCK_STREAM);
  fork("stay", std::move(channel->theirs));
  ASSERT_TRUE(until(made, 1));

  auto now = std::chrono::steady_clock::now();
  runtime->tend(false, now);
  runtime->tend(false, now += RuntimeProcess::kUnusedPatience);
  EXPECT_NE(runtime->pid(), 0) << "it has a child";
  channel->ours.reset();
  ASSERT_TRUE(until(ended, 1));
  runtime->tend(true, now);
  runtime->tend(false, now);
  runtime->tend(false, now + RuntimeProcess::kUnusedPatience - std::chrono::seconds(1));
  EXPECT_NE(runtime->pid(), 0) << "not so long";
  runtime->tend(false, now + RuntimeProcess::kUnusedPatience);
  EXPECT_EQ(runtime->pid(), 0);
  EXPECT_TRUE(runtime->resting());

  fork("", nowhere());
  ASSERT_TRUE(until(ended, 2));
  EXPECT_NE(runtime->pid(), 0);
  EXPECT_FALSE(runtime->resting());
  EXPECT_EQ(runtime->restarts(), 0U) << "that it rested is no failure";
  runtime->stop();
}

TEST(RuntimeProcess, WhatCannotEvenStartIsStartedAgainOnlyForThoseWhoNeedIt) {
  boost::asio::io_context io;
  std::vector<std::string> said;
  const auto runtime =
      std::make_shared<RuntimeProcess>(io, RuntimeSpec{"test", {"/bin/false"}, {}},
                                       RuntimeEvents{[&](const std::string& what) { said.push_back(what); }});
  const auto run_until = [&](const auto& done) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!done() && std::chrono::steady_clock::now() < end) io.run_one_for(milliseconds(10));
    return done();
  };
  runtime->tend(true, std::chrono::steady_clock::now());
  runtime->start();
  ASSERT_TRUE(run_until([&] { return runtime->restarts() >= 2; })) << "a version needs it";
  runtime->tend(false, std::chrono::steady_clock::now());
  ASSERT_TRUE(run_until([&] { return runtime->resting(); }));
  EXPECT_NE(said.back().find("nobody needs it"), std::string::npos) << said.back();

  const auto before = said.size();
  runtime->fork({.json = "{}"}, nowhere(), nowhere(), io.get_executor(), {});
  ASSERT_TRUE(run_until([&] { return said.size() > before && runtime->resting(); })) << "it is tried again";
  runtime->stop();
}

}  // namespace
}  // namespace mayfly::tmpl
