#include "pool/failure.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>

#include "pool/last_words.h"

namespace mayfly::pool {
namespace {

using namespace std::string_view_literals;

TEST(DescribeDeath, AnExitNamesItsCode) {
  const auto error = describe_death({.status = W_EXITCODE(3, 0)});
  EXPECT_EQ(error.code, PoolErrc::instance_exited);
  EXPECT_EQ(error.detail("exitCode"), "3");
}

TEST(DescribeDeath, ASignalIsNamed) {
  const auto error = describe_death({.status = SIGSEGV, .last_words = "last line\n"});
  EXPECT_EQ(error.code, PoolErrc::instance_killed);
  EXPECT_EQ(error.message, "the instance was ended by signal SEGV");
  EXPECT_EQ(error.detail("signal"), "SIGSEGV");
  EXPECT_EQ(signal_name(SIGKILL), "SIGKILL");
  EXPECT_EQ(signal_name(99), "signal 99");
}

TEST(DescribeDeath, TheRuntimesLastWordsTellMemoryFromOtherAborts) {
  for (const char* words : {"FATAL ERROR: Reached heap limit Allocation failed - JavaScript",
                            "<--- Last few GCs --->\nFATAL ERROR: JavaScript heap out of memory\n"}) {
    EXPECT_EQ(describe_death({.status = SIGABRT, .last_words = words}).code, PoolErrc::out_of_memory);
    EXPECT_EQ(describe_death({.status = W_EXITCODE(1, 0), .last_words = words}).code,
              PoolErrc::instance_exited)
        << "a function that prints these words and leaves has not run out of memory";
  }
  EXPECT_EQ(describe_death({.status = SIGABRT, .last_words = "assertion failed"}).code,
            PoolErrc::instance_killed);
}

TEST(DescribeDeath, WhatTheDaemonDidExplainsMoreThanTheSignal) {
  const auto code = [](KillCause cause) { return describe_death({.status = SIGKILL, .cause = cause}).code; };
  EXPECT_EQ(code(KillCause::deadline), PoolErrc::instance_killed);
  EXPECT_EQ(code(KillCause::stuck), PoolErrc::instance_stuck);
  EXPECT_EQ(code(KillCause::protocol), PoolErrc::protocol_violation);
  EXPECT_EQ(describe_death({.status = SIGKILL, .cause = KillCause::deadline}).detail("signal"), "")
      << "it was ours";
  EXPECT_EQ(describe_death({.status = -1, .cause = KillCause::shutdown}).message,
            "the daemon is shutting down");
  EXPECT_EQ(describe_death({}).message, "the instance ended together with its template");
}

TEST(DescribeDeath, AMemoryLimitIsNamedWithItsValueWhoeverNoticedIt) {
  constexpr std::uint64_t kLimit = 128U << 20U;
  const auto by_kernel = describe_death({.status = SIGKILL, .memory = kLimit, .kernel_wanted_memory = true});
  EXPECT_EQ(by_kernel.code, PoolErrc::out_of_memory);
  EXPECT_EQ(by_kernel.message, "memory limit 128 MiB");
  EXPECT_EQ(by_kernel.detail("limit"), "128MiB");
  const auto by_runtime =
      describe_death({.status = SIGABRT, .last_words = "JavaScript heap out of memory", .memory = kLimit});
  EXPECT_EQ(by_runtime.message, "memory limit 128 MiB: the heap of the runtime is full");
  EXPECT_EQ(by_runtime.detail("limit"), "128MiB");
  const auto by_us = memory_error(kLimit, 150U << 20U);
  EXPECT_EQ(by_us.message, "memory limit 128 MiB: the instance used 150 MiB");
  const auto loading = loading_memory_error(128U << 20U, 408U << 20U);
  EXPECT_EQ(loading.code, PoolErrc::template_failed);
  EXPECT_EQ(loading.detail("limit"), "128MiB");
  EXPECT_EQ(describe_death({.status = SIGSEGV, .memory = kLimit, .kernel_wanted_memory = true}).code,
            PoolErrc::instance_killed)
      << "the kernel kills with SIGKILL";
  EXPECT_EQ(describe_death({.status = -1, .memory = kLimit, .kernel_wanted_memory = true}).code,
            PoolErrc::out_of_memory)
      << "its template was killed";
}

TEST(DescribeDeath, AForbiddenSystemCallIsNamed) {
  const auto error =
      describe_death({.status = SIGSYS, .last_words = "some line\nforbidden system call: ptrace\n"});
  EXPECT_EQ(error.code, PoolErrc::forbidden_system_call);
  EXPECT_EQ(error.message, "forbidden system call: ptrace");
  EXPECT_EQ(error.detail("call"), "ptrace");
  EXPECT_EQ(describe_death({.status = SIGSYS}).message, "forbidden system call");
  EXPECT_EQ(describe_death({.status = SIGABRT, .last_words = "forbidden system call: ptrace"}).code,
            PoolErrc::instance_killed)
      << "words alone are no proof";
}

TEST(DescribeHandlerError, AnExecutableThatMadeAForbiddenCallIsNamed) {
  using namespace std::string_literals;
  const auto error = describe_handler_error(wire::ErrorKind::threw, "SIGSYS\0what it wrote"s);
  EXPECT_EQ(error.code, PoolErrc::forbidden_system_call);
  EXPECT_EQ(error.message, "forbidden system call");
  EXPECT_EQ(error.detail("stack"), "what it wrote");
  EXPECT_EQ(describe_handler_error(wire::ErrorKind::threw, "SIGSEGV\0"s).code, PoolErrc::handler_threw);
}

TEST(DescribeHandlerError, AnExecutableThatWasKilledIsNotOneThatThrew) {
  const auto error = describe_handler_error(wire::ErrorKind::threw, "SIGKILL\0what it wrote"sv);
  EXPECT_EQ(error.code, PoolErrc::instance_killed);
  EXPECT_EQ(error.detail("signal"), "SIGKILL");
  EXPECT_EQ(error.detail("stack"), "what it wrote");
}

TEST(DescribeLoadingDeath, SaysHowTheProcessEnded) {
  const auto message = [](int status, std::string_view words = {}) {
    const auto error = describe_loading_death({status, KillCause::none, words, 64U << 20U, false});
    EXPECT_EQ(error.code, PoolErrc::template_failed);
    return error.message;
  };
  EXPECT_EQ(message(-1), "the process ended while it loaded the code");
  EXPECT_EQ(message(W_EXITCODE(3, 0)), "the process ended with exit code 3 while it loaded the code");
  EXPECT_EQ(message(SIGSEGV), "the process was ended by signal SEGV while it loaded the code");
  EXPECT_EQ(message(SIGSYS, "forbidden system call: ptrace\n"),
            "the process was ended for a forbidden system call: ptrace while it loaded the code");
  EXPECT_EQ(message(SIGABRT, "JavaScript heap out of memory"),
            "memory limit 64 MiB: the heap of the runtime was full while it loaded the code");
  EXPECT_EQ(describe_loading_death({SIGSEGV}).detail("signal"), "SIGSEGV");
}

TEST(DescribeFatal, TakesMessageAndStackApart) {
  const auto error = describe_fatal(wire::FatalKind::uncaught, "Error: x\0Error: x\n    at f (a.js:1:2)"sv);
  EXPECT_EQ(error.code, PoolErrc::uncaught_exception);
  EXPECT_EQ(error.message, "uncaught exception: Error: x");
  EXPECT_EQ(error.detail("stack"), "Error: x\n    at f (a.js:1:2)");
  const auto rejection = describe_fatal(wire::FatalKind::rejection, "no");
  EXPECT_EQ(rejection.code, PoolErrc::unhandled_rejection);
  EXPECT_TRUE(rejection.details.empty());
  const auto exit = describe_fatal(wire::FatalKind::exit, "7");
  EXPECT_EQ(exit.code, PoolErrc::instance_exited);
  EXPECT_EQ(exit.detail("exitCode"), "7");
}

TEST(DescribeHandlerError, TellsThrownFromBrokenOff) {
  const auto threw = describe_handler_error(wire::ErrorKind::threw, "TypeError: x\0stack"sv);
  EXPECT_EQ(threw.code, PoolErrc::handler_threw);
  EXPECT_EQ(threw.message, "TypeError: x");
  EXPECT_EQ(threw.detail("stack"), "stack");
  const auto broken = describe_handler_error(wire::ErrorKind::stream, "x");
  EXPECT_EQ(broken.code, PoolErrc::answer_broken);
  EXPECT_EQ(broken.message, "the answer is broken: x");
  // A kind that no bridge sends must still be an error.
  const auto headers = describe_handler_error(wire::ErrorKind::header, "the answer's headers have 9 bytes");
  EXPECT_EQ(headers.code, PoolErrc::headers_too_large);
  EXPECT_EQ(headers.detail("limit"), "128KiB");
  EXPECT_EQ(describe_handler_error(static_cast<wire::ErrorKind>(77), "x").code, PoolErrc::handler_threw);
}

TEST(LastWords, KeepTheEnd) {
  LastWords words;
  words.append("first ");
  words.append(std::string(LastWords::kKept, 'x'));
  words.append("the end");
  EXPECT_EQ(words.text().size(), LastWords::kKept);
  EXPECT_TRUE(words.text().ends_with("xxthe end"));
  EXPECT_EQ(words.text().find("first"), std::string::npos);
}

}  // namespace
}  // namespace mayfly::pool
