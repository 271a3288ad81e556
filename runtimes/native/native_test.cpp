// What a native function sees of a request, and what becomes of its answer.
#include "native_test_support.h"

namespace mayfly::native {
namespace {

TEST_F(NativeRuntime, ServesAHandlerInCpp) {
  compile(R"(#include <mayfly.h>
    mayfly::Response handle(const mayfly::Request& r) {
      std::string text(r.method());
      text += " " + std::string(r.path()) + " " + r.query("b").value_or("?") + " " + std::string(r.header("x-b").value_or("?"));
      text += " " + std::string(r.body()) + " " + std::string(*mayfly::env("GREETING")) + " " + std::string(r.invocation().substr(0, 4));
      return {201, text, {{"X-Made", "here"}}};
    }
    MAYFLY_HANDLER(handle))");
  const auto report = load();
  EXPECT_EQ(report["form"], "native");
  EXPECT_EQ(report["concurrency"], 1);
  EXPECT_TRUE(report["unsafe"].empty()) << report;
  auto instance = start();
  for (int i = 0; i < 2; ++i) {
    instance.answer.clear();
    instance.invoke("/a?b=x%20y+z&b=no", "BODY");
    EXPECT_EQ(instance.finish(), 201U);
    EXPECT_EQ(instance.answer, "POST /a x y z two BODY hi 0123");
    EXPECT_EQ(instance.headers, std::string("x-made\0here\0content-type\0text/plain; charset=utf-8\0", 51));
  }
}

TEST_F(NativeRuntime, ServesAHandlerInC) {
  compile(R"(#include <mayfly.h>
    static int initialised;
    static int init(void) { initialised = 7; return 0; }
    static void handle(mayfly_request* request, mayfly_response* response) {
      mayfly_text body;
      mayfly_body(request, &body);
      char text[100];
      snprintf(text, sizeof text, "%s %s %d", mayfly_header(request, "x-a"), body.data, initialised);
      mayfly_set_status(response, 202);
      mayfly_add_header(response, "x-c", "c");
      if (mayfly_add_header(response, "x-bad", "a\r\nb: c") != MAYFLY_INVALID) return;
      mayfly_print(response, text);
      mayfly_log(MAYFLY_WARN, "%d bytes", (int)body.size);
    }
    MAYFLY_HANDLER(handle)
    MAYFLY_INIT(init))",
          "f.c");
  load();
  auto instance = start();
  instance.invoke("/", "hello");
  EXPECT_EQ(instance.finish(), 202U);
  EXPECT_EQ(instance.answer, "one hello 7");
  EXPECT_EQ(instance.headers, std::string("x-c\0c\0", 6));
  EXPECT_TRUE(instance.logs("3 0123 5 bytes\n")) << instance.lines;
}

TEST_F(NativeRuntime, StreamsBothWaysWithinTheWindow) {
  compile(R"(#include <mayfly.h>
    mayfly::Response handle(const mayfly::Request& r) {
      return mayfly::Response::stream(200, {}, [&](mayfly::Writer& out) {
        char part[10'000];
        while (const auto size = r.read(part)) out.write({part, size});
        out.write("end");
      });
    }
    MAYFLY_HANDLER(handle))");
  load();
  auto instance = start();
  instance.invoke("/", "first ", false);
  auto frame = instance.next();
  ASSERT_EQ(frame.type, FrameType::response);
  EXPECT_FALSE(frame.has(wire::kEnd));
  EXPECT_EQ(instance.next().payload, "first ") << "what was read is sent before more has come";
  // More than the window, each way: it takes credit from both sides.
  const std::string part(wire::kMaxChunk, 'x');
  std::size_t credit = wire::kWindow - 6, sent = 0, got = 0, given = 0;
  while (got < 20 * part.size()) {
    while (sent < 20 && credit >= part.size()) {
      instance.body(part, false);
      credit -= part.size();
      ++sent;
    }
    frame = instance.next();
    ASSERT_NE(frame.type, wire::FrameType{}) << "it ended after " << got;
    if (frame.type == FrameType::credit) credit += frame.aux;
    if (frame.type != FrameType::body) continue;
    got += frame.payload.size();
    given += frame.payload.size();
    ASSERT_LE(given, wire::kWindow) << "it sent more than it may";
    if (given < wire::kWindow / 2) continue;
    instance.send(
        {FrameType::credit, 0, frame.stream, static_cast<std::uint32_t>(std::exchange(given, 0)), {}});
  }
  instance.body("", true);
  EXPECT_EQ(instance.finish(), 0U);
  EXPECT_EQ(instance.answer, "end");
}

TEST_F(NativeRuntime, AWholeAnswerLargerThanTheWindowArrives) {
  compile(R"(#include <mayfly.h>
    mayfly::Response handle(const mayfly::Request&) { return {200, std::string(1'000'000, 'x')}; }
    MAYFLY_HANDLER(handle))");
  load();
  auto instance = start();
  instance.invoke();
  EXPECT_EQ(instance.finish(), 200U);
  EXPECT_EQ(instance.answer.size(), 1'000'000U);
  EXPECT_THAT(instance.headers, HasSubstr(std::string("content-length\0001000000\0", 23)));
}

TEST_F(NativeRuntime, AnAbortIsHeardOfByWhoReadsOrAsks) {
  compile(R"(#include <mayfly.h>
    mayfly::Response handle(const mayfly::Request& r) {
      if (r.path() == "/asks") while (!r.aborted()) {}
      else if (r.path() == "/reads") (void)r.body();
      mayfly::log("left");
      return 200;
    }
    MAYFLY_HANDLER(handle))");
  load();
  auto instance = start();
  instance.invoke("/asks");
  instance.send({FrameType::abort, 0, 1U << wire::kSlotBits, 1, {}});
  EXPECT_EQ(instance.next().type, FrameType::done) << "nobody wants its answer";
  EXPECT_TRUE(instance.logs("left"));
  instance.invoke("/reads", "", false);
  instance.send({FrameType::abort, 0, 1U << wire::kSlotBits, 1, {}});
  EXPECT_EQ(instance.next().type, FrameType::done) << "Gone is no failure";
}

TEST_F(NativeRuntime, AnExceptionIsATypedErrorAndTheInstanceGoesOn) {
  compile(R"(#include <mayfly.h>
    mayfly::Response handle(const mayfly::Request& r) {
      if (r.path() == "/throws") throw std::runtime_error("on purpose");
      if (r.path() == "/int") throw 3;
      if (r.path() == "/header") return {200, "", {{"x", "a\r\nb: c"}}};
      if (r.path() == "/late") return mayfly::Response::stream(200, {}, [](mayfly::Writer& out) {
          out.write("begun");
          throw std::out_of_range("half way");
        });
      return "fine";
    }
    MAYFLY_HANDLER(handle))");
  load();
  auto instance = start();
  for (const auto& [path, message] : {std::pair{"/throws", "std::runtime_error: on purpose"},
                                      {"/int", "int"},
                                      {"/header", "std::invalid_argument: the header 'x' is not"}}) {
    instance.invoke(path);
    const auto frame = instance.next();
    EXPECT_EQ(frame.type, FrameType::error);
    EXPECT_EQ(frame.aux, static_cast<std::uint32_t>(wire::ErrorKind::threw));
    EXPECT_THAT(std::string(frame.payload), StartsWith(message));
    EXPECT_EQ(instance.next().type, FrameType::done);
  }
  instance.invoke("/late");
  EXPECT_EQ(instance.next().type, FrameType::response);
  EXPECT_EQ(instance.next().payload, "begun");
  const auto frame = instance.next();
  EXPECT_EQ(frame.aux, static_cast<std::uint32_t>(wire::ErrorKind::stream));
  EXPECT_THAT(std::string(frame.payload), StartsWith("std::out_of_range: half way"));
  EXPECT_EQ(instance.next().type, FrameType::done);
  instance.invoke();
  EXPECT_EQ(instance.finish(), 200U);
  EXPECT_EQ(instance.answer, "fine");
}

TEST_F(NativeRuntime, WhatIsPrintedIsInTheLogWithTheInvocation) {
  compile(R"(#include <mayfly.h>
    #include <iostream>
    #include <unistd.h>
    mayfly::Response handle(const mayfly::Request&) {
      printf("by printf %d\n", 1);
      std::cout << "by cout " << 2 << std::endl;
      std::cerr << "by cerr\n";
      fprintf(stderr, "by stderr");
      (void)!write(1, "direct\n", 7);
      mayfly::log(mayfly::Level::debug, "by log");
      printf("no end");
      return 200;
    }
    MAYFLY_HANDLER(handle))");
  load();
  auto instance = start();
  instance.invoke();
  EXPECT_EQ(instance.finish(), 200U);
  EXPECT_TRUE(instance.logs("2 0123 no end\n"));
  for (const char* line :
       {"2 0123 by printf 1\n", "2 0123 by cout 2\n", "4 0123 by cerr\n", "direct\n", "1 0123 by log\n"})
    EXPECT_THAT(instance.lines, HasSubstr(line));
  EXPECT_TRUE(instance.logs("4 0123 by stderr\n")) << instance.lines;
}

TEST_F(NativeRuntime, ATemplateWithAThreadIsNotForkedButItsCodeServesDirectly) {
  compile(R"(#include <mayfly.h>
    #include <thread>
    #include <unistd.h>
    void init() { std::thread([] { for (;;) ::pause(); }).detach(); }
    MAYFLY_INIT(init)
    mayfly::Response handle(const mayfly::Request&) { return "direct"; }
    MAYFLY_HANDLER(handle))");
  const auto report = load();
  ASSERT_EQ(report["unsafe"].size(), 1U);
  EXPECT_EQ(report["unsafe"][0], "init left 1 thread(s) running");
  Instance instance;
  instance.data = fork(runtime_, payload("direct"), SOCK_STREAM, instance.log);
  instance.invoke();
  EXPECT_EQ(instance.finish(), 200U);
  EXPECT_EQ(instance.answer, "direct");
}

TEST_F(NativeRuntime, InstancesDrawDifferentNumbers) {
  compile(R"(#include <mayfly.h>
    #include <cstdlib>
    mayfly::Response handle(const mayfly::Request&) { return std::to_string(rand()) + " " + std::to_string(drand48()); }
    MAYFLY_HANDLER(handle))");
  load();
  auto one = start(), other = start();
  one.invoke();
  other.invoke();
  EXPECT_EQ(one.finish(), 200U);
  EXPECT_EQ(other.finish(), 200U);
  EXPECT_NE(one.answer, other.answer);
}

TEST_F(NativeRuntime, LeavesWhenToldTo) {
  compile(
      "#include <mayfly.h>\nmayfly::Response handle(const mayfly::Request&) { return 200; } "
      "MAYFLY_HANDLER(handle)");
  load();
  auto instance = start();
  instance.send({FrameType::stop, 0, 0, 0, {}});
  EXPECT_EQ(instance.next().type, wire::FrameType{});
  EXPECT_EQ(wait_status(), 0);
}

}  // namespace
}  // namespace mayfly::native
