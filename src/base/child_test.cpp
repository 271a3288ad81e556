#include "base/child.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <thread>

namespace mayfly {
namespace {

using namespace std::chrono_literals;

MonotonicTime in(milliseconds time) { return std::chrono::steady_clock::now() + time; }

/// A shell that runs a script and has come to its "echo r".
struct Shell {
  Child child;
  Fd output;
};

Shell shell(const std::string& script, ChildOptions options = {}) {
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const Fd theirs(ends[1]);
  options.argv = {"/bin/sh", "-c", script};
  options.descriptors.push_back({theirs.get(), 1});
  auto child = Child::start(options);
  EXPECT_TRUE(child) << child.error().message;
  Shell result{std::move(*child), Fd(ends[0])};
  char line[2];
  EXPECT_EQ(::read(result.output.get(), line, 2), 2);
  return result;
}

std::string read_all(const Fd& fd) {
  std::string text;
  char buffer[512];
  ssize_t got = 0;
  while ((got = ::read(fd.get(), buffer, sizeof buffer)) > 0)
    text.append(buffer, static_cast<std::size_t>(got));
  return text;
}

TEST(Child, TellsExitCodesFromSignals) {
  auto exits = Child::start({.argv = {"sh", "-c", "exit 3"}});
  ASSERT_TRUE(exits);
  EXPECT_EQ(exits->wait(), (ExitStatus{ExitStatus::How::exited, 3, false}));
  EXPECT_EQ(exits->status()->text(), "exit code 3");

  auto dies = Child::start({.argv = {"sh", "-c", "kill -TERM $$"}});
  ASSERT_TRUE(dies);
  EXPECT_EQ(dies->wait(), (ExitStatus{ExitStatus::How::signalled, SIGTERM, false}));
  EXPECT_EQ(dies->status()->text(), "signal 15 (Terminated)");
}

TEST(Child, SaysWhatCouldNotBeExecuted) {
  auto missing = Child::start({.argv = {"/no/such/program"}});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, std::errc::no_such_file_or_directory);
  EXPECT_NE(missing.error().message.find("/no/such/program"), std::string::npos);

  auto nowhere = Child::start({.argv = {"true"}, .cwd = "/no/such/folder"});
  ASSERT_FALSE(nowhere);
  EXPECT_NE(nowhere.error().message.find("chdir"), std::string::npos);

  EXPECT_FALSE(Child::start({}));
  // Nothing is left to be reaped.
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST(Child, WaitReturnsNothingAtTheDeadlineAndTheChildLives) {
  auto running = shell("echo r; exec sleep 100");
  EXPECT_FALSE(running.child.wait(in(5ms)));
  EXPECT_FALSE(running.child.try_wait());
  EXPECT_FALSE(running.child.status());
  running.child.kill(SIGKILL);
  EXPECT_EQ(running.child.wait(in(5s)), (ExitStatus{ExitStatus::How::signalled, SIGKILL, false}));
  running.child.kill(SIGKILL);  // harmless once it was reaped
}

TEST(Child, DoesNotOutliveItsOwnerNorDoesItsGroup) {
  auto running = shell("sleep 100 & echo r; exec sleep 100");
  const pid_t leader = running.child.pid();
  running.child = Child();
  EXPECT_FALSE(running.child);
  EXPECT_EQ(::kill(leader, 0), -1);
  // Both hold the pipe: its end is the end of both.
  EXPECT_EQ(read_all(running.output), "");
}

TEST(Child, WhatTheLeaderLeavesOfItsGroupIsKilled) {
  auto running = shell("sleep 100 & echo r; exit 0");
  EXPECT_TRUE(running.child.wait(in(5s)));
  EXPECT_EQ(read_all(running.output), "");  // would hang for as long as the sleep lives
}

TEST(Child, MovingLeavesNothingBehind) {
  auto first = shell("echo r; exec sleep 100").child;
  const pid_t pid = first.pid();
  Child second = std::move(first);
  EXPECT_EQ(second.pid(), pid);
  EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): the state after a move is the subject
  EXPECT_EQ(first.pid(), 0);
  EXPECT_FALSE(second.try_wait());
}

struct Pipe {
  Fd out;
  Fd in;
};

Pipe make_pipe(int flags) {
  int ends[2];
  EXPECT_EQ(::pipe2(ends, flags), 0);
  return {Fd(ends[0]), Fd(ends[1])};
}

/// A shell that writes "to-a" to descriptor `a` and "to-b" to `b`, which are to be these pipes.
void expect_descriptors(const Pipe& to_a, int a, const Pipe& to_b, int b) {
  // /dev/fd, as the shell knows only one digit after >&.
  const auto script = "echo to-a >/dev/fd/" + std::to_string(a) + "; echo to-b >/dev/fd/" + std::to_string(b);
  auto child = Child::start(
      {.argv = {"/bin/sh", "-c", script}, .descriptors = {{to_a.in.get(), a}, {to_b.in.get(), b}}});
  ASSERT_TRUE(child);
  EXPECT_TRUE(child->wait().success());
  for (const auto& [pipe, expected] : {std::pair(&to_a, "to-a\n"), std::pair(&to_b, "to-b\n")}) {
    ::fcntl(pipe->out.get(), F_SETFL, O_NONBLOCK);
    char text[6] = {};
    EXPECT_EQ(::read(pipe->out.get(), text, 5), 5);
    EXPECT_STREQ(text, expected);
  }
}

TEST(Child, GivesDescriptorsTheirNumbersThoughTheyAreInEachOthersWay) {
  const auto a = make_pipe(O_CLOEXEC);
  const auto b = make_pipe(O_CLOEXEC);
  expect_descriptors(a, b.in.get(), b, a.in.get());
  // Each number that our own or the child's working descriptors may come to have on the way.
  const int above = std::max(a.in.get(), b.in.get());
  for (int number = above + 1; number < above + 12 && !HasFailure(); ++number) {
    expect_descriptors(a, number, b, number + 1);
    expect_descriptors(a, number + 1, b, number);
  }
}

TEST(Child, HasNoOtherDescriptorsThanItsOwn) {
  const auto leak = make_pipe(0);  // not close-on-exec: even such a one must not be inherited
  const auto output = make_pipe(O_CLOEXEC);
  auto child = Child::start(
      {.argv = {"ls", "/proc/self/fd"}, .descriptors = {{output.in.get(), 1}, {output.in.get(), 90}}});
  ASSERT_TRUE(child);
  EXPECT_TRUE(child->wait().success());
  char text[64] = {};
  EXPECT_GT(::read(output.out.get(), text, sizeof text - 1), 0);
  EXPECT_STREQ(text, "0\n1\n2\n3\n90\n");  // 3 is the folder that ls reads
}

TEST(Child, StartsWithSignalsAtTheirDefaults) {
  // Also one that only the kernel's call can change: the C library keeps 32 for itself.
  const std::array ignored{SIGUSR1, 32};
  std::array<std::array<std::uint64_t, 4>, ignored.size()> before{};  // what the kernel has: handler first
  const std::array<std::uint64_t, 4> ignore{reinterpret_cast<std::uintptr_t>(SIG_IGN)};
  for (std::size_t i = 0; i < ignored.size(); ++i)
    ASSERT_EQ(::syscall(SYS_rt_sigaction, ignored[i], ignore.data(), before[i].data(), 8), 0);
  sigset_t blocked;
  sigset_t mask_before;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &mask_before);
  auto result = run({"grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"});
  ::pthread_sigmask(SIG_SETMASK, &mask_before, nullptr);
  for (std::size_t i = 0; i < ignored.size(); ++i)
    ::syscall(SYS_rt_sigaction, ignored[i], before[i].data(), nullptr, 8);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->output, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST(Child, DiesWithTheThreadThatStartedIt) {
  Shell running;
  std::thread([&] { running = shell("echo r; exec sleep 100"); }).join();
  EXPECT_EQ(running.child.wait(in(5s)), (ExitStatus{ExitStatus::How::signalled, SIGKILL, false}));

  ChildOptions stays;
  stays.die_with_parent = false;
  std::thread([&] { running = shell("echo r; read x < /dev/null; exit 4", stays); }).join();
  EXPECT_EQ(running.child.wait(in(5s)), (ExitStatus{ExitStatus::How::exited, 4, false}));
}

TEST(Run, CapturesBothStreamsAndTheStatus) {
  auto result = run({"sh", "-c", "echo out; echo err >&2; echo $VALUE; pwd; exit 7"},
                    {.cwd = "/usr", .environment = std::vector<std::string>{"VALUE=x y"}});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->output, "out\nx y\n/usr\n");
  EXPECT_EQ(result->errors, "err\n");
  EXPECT_EQ(result->status, (ExitStatus{ExitStatus::How::exited, 7, false}));
  EXPECT_FALSE(result->timed_out);
  EXPECT_FALSE(result->truncated);
}

TEST(Run, GivesTheCommandItsInputAndDescriptors) {
  const std::string input(100'000, 'x');  // more than a pipe would take
  const Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  RunOptions options;
  options.input = input;
  options.descriptors = {{null.get(), 5}};
  const auto result = run({"/bin/sh", "-c", "cat; readlink /proc/self/fd/5"}, options);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->output, input + "/dev/null\n");
}

TEST(Run, KeepsNoMoreOutputThanAllowedButShowsAll) {
  std::size_t seen = 0;
  auto result = run({"sh", "-c", "head -c 300000 /dev/zero"},
                    {.max_output = 1000, .on_output = [&](std::string_view piece) { seen += piece.size(); }});
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->status.success());
  EXPECT_EQ(result->output.size(), 1000U);
  EXPECT_TRUE(result->truncated);
  EXPECT_EQ(seen, 300'000U);
}

TEST(Run, KillsTheWholeGroupAtTheDeadline) {
  const auto before = std::chrono::steady_clock::now();
  auto result = run({"sh", "-c", "echo begun; sleep 100 & wait"}, {.deadline = 1s});
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->timed_out);
  EXPECT_EQ(result->output, "begun\n");
  EXPECT_EQ(result->status.how, ExitStatus::How::signalled);
  EXPECT_LT(std::chrono::steady_clock::now() - before, 20s);
}

TEST(Run, AFloodOfOutputMeetsTheDeadline) {
  auto result = run({"sh", "-c", "exec yes"}, {.deadline = 1s, .max_output = 10});
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->timed_out);
  EXPECT_EQ(result->output.size(), 10U);
}

TEST(Run, DoesNotWaitForAGrandchildThatHoldsThePipe) {
  auto result = run({"sh", "-c", "echo done; sleep 100 & exit 0"}, {.deadline = 30s});
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->status.success());
  EXPECT_EQ(result->output, "done\n");
  EXPECT_FALSE(result->timed_out);
}

TEST(Run, ACommandThatIsNotThereIsAnError) {
  auto result = run({"surely-no-such-command"});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, std::errc::no_such_file_or_directory);
}

}  // namespace
}  // namespace mayfly
