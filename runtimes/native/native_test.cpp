// The native runtime with a test in the daemon's place: functions are compiled, loaded by a real runtime
// process, forked, and spoken to in frames.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/child.h"
#include "base/temp_folder.h"
#include "wire/control.h"
#include "wire/frame.h"
#include "wire/log_record.h"

namespace mayfly::native {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::StartsWith;
using wire::ControlType;
using wire::FrameType;

bool readable(int fd) {
  pollfd p{fd, POLLIN, 0};
  return ::poll(&p, 1, 30'000) == 1;
}

/// The test's end of an instance.
struct Instance {
  Fd data;
  Fd log;
  wire::FrameDecoder decoder{};
  std::string payload{};
  std::string answer{};  ///< body so far
  std::string headers{};
  std::string lines{};  ///< "level invocation text" of log records, and what was written directly

  void send(const wire::Frame& frame) {
    std::string out;
    wire::append_frame(out, frame);
    ASSERT_EQ(::send(data.get(), out.data(), out.size(), 0), static_cast<ssize_t>(out.size()));
  }
  void invoke(std::string_view target = "/", std::string_view body = {}, bool ends = true) {
    std::string head;
    wire::append_invoke_head(head, {~0ULL >> 1U, "0123456789abcdef0123456789abcdef", "10.0.0.1", "https",
                                    "POST", target, std::string_view("x-a\0one\0x-b\0two\0", 16)});
    head.append(body);
    send({FrameType::invoke, ends ? wire::kEnd : std::uint8_t{0}, 1U << wire::kSlotBits, 0, head});
  }
  void body(std::string_view part, bool ends) {
    send({FrameType::body, ends ? wire::kEnd : std::uint8_t{0}, 1U << wire::kSlotBits, 0, part});
  }
  /// The next frame but usage; its type is 0 when the process has ended.
  wire::Frame next() {
    for (;;) {
      const auto frame = decoder.next();
      if (frame && *frame) {
        if ((*frame)->type != FrameType::usage) return **frame;
        continue;
      }
      if (!readable(data.get())) return {};
      const auto [room, size] = decoder.prepare();
      const ssize_t got = ::recv(data.get(), room, size, 0);
      if (got <= 0) return {};
      decoder.commit(static_cast<std::size_t>(got));
    }
  }
  /// Frames until the answer has ended; its status, or 0 and the error in `answer`.
  unsigned finish() {
    unsigned status = 0;
    for (;;) {
      const auto frame = next();
      std::string_view rest = frame.payload;
      if (frame.type == FrameType::response) {
        status = frame.aux;
        headers = wire::parse_response_head(frame.payload, rest).value_or("");
      }
      if (frame.type == FrameType::error || frame.type == FrameType::fatal) {
        answer = frame.payload;
        return 0;
      }
      if (frame.type == wire::FrameType{}) return 0;
      if (frame.type == FrameType::response || frame.type == FrameType::body) {
        answer.append(rest);
        if (frame.has(wire::kEnd)) return status;
        send({FrameType::credit, 0, frame.stream, static_cast<std::uint32_t>(rest.size()), {}});
      }
      if (frame.type == FrameType::done) return status;
    }
  }
  /// Log until there is `text` in it.
  bool logs(const std::string& text) {
    while (lines.find(text) == std::string::npos) {
      if (!readable(log.get())) return false;
      std::string packet(wire::kMaxLogPacket, '\0');
      const ssize_t got = ::recv(log.get(), packet.data(), packet.size(), 0);
      if (got <= 0) return false;
      packet.resize(static_cast<std::size_t>(got));
      std::string_view rest = packet;
      wire::LogRecord record;
      if (static_cast<std::uint8_t>(packet[0]) != wire::kLogMagic)
        lines += packet;
      else
        while (wire::take_log_record(rest, record))
          lines += std::to_string(static_cast<int>(record.level)) + " " +
                   std::string(record.invocation.substr(0, 4)) + " " + std::string(record.text) + "\n";
    }
    return true;
  }
};

class NativeRuntime : public testing::Test {
 protected:
  void SetUp() override {
    auto control = socket_pair(SOCK_SEQPACKET);
    ASSERT_TRUE(control);
    runtime_ = std::move(control->ours);
    auto started = Child::start({.argv = {MAYFLY_NATIVE},
                                 .environment = std::vector<std::string>{"PATH=/usr/bin:/bin"},
                                 .descriptors = {{control->theirs.get(), 3}}});
    ASSERT_TRUE(started) << started.error().message;
    process_ = std::move(*started);
  }

  /// Compiles a source; `flags` as to the compiler.
  void compile(const std::string& source, const std::string& file = "f.cpp") {
    std::ofstream(folder_.path() / file) << source;
    const bool c = file.ends_with(".c");
    const auto built = mayfly::run(
        {c ? "cc" : "c++", c ? "-std=gnu17" : "-std=c++20", "-g", "-fPIC", "-shared", "-Wall", "-Wextra",
         "-Werror", "-fno-omit-frame-pointer", "-I" MAYFLY_NATIVE_INCLUDE, file, "-o", "f.so"},
        {.cwd = folder_.path()});
    if (!built || !built->status.success())
      throw std::runtime_error(built ? built->errors : built.error().message);
  }
  static wire::ControlMessage message(const Fd& socket) {
    EXPECT_TRUE(readable(socket.get()));
    auto got = wire::receive_control(socket.get());
    EXPECT_TRUE(got && *got);
    return got && *got ? std::move(**got) : wire::ControlMessage{};
  }
  /// Asks a fork server for a child, and gives its channel.
  Fd fork(const Fd& server, const json& payload, int kind, Fd& log) {
    auto channel = socket_pair(kind);
    auto lines = socket_pair(SOCK_SEQPACKET);
    EXPECT_TRUE(wire::send_control(server.get(), ControlType::fork, 1, 0, payload.dump(),
                                   {channel->theirs.get(), lines->theirs.get()}));
    EXPECT_EQ(message(server).type, ControlType::forked);
    log = std::move(lines->ours);
    return std::move(channel->ours);
  }
  json payload(const char* role) {
    return {
        {"role", role}, {"root", folder_.path().string()}, {"entry", "f.so"}, {"env", {{"GREETING", "hi"}}}};
  }
  /// Loads f.so in a template; what it reports.
  json load(ControlType expected = ControlType::ready) {
    template_ = fork(runtime_, payload("template"), SOCK_SEQPACKET, template_log_);
    const auto report = message(template_);
    EXPECT_EQ(report.type, expected) << report.payload;
    return json::parse(report.payload, nullptr, false);
  }
  Instance start() {
    Fd log;
    Fd data = fork(template_, {{"role", "instance"}}, SOCK_STREAM, log);
    return {std::move(data), std::move(log)};
  }
  /// How the last instance ended, by the fork server's word.
  int wait_status() {
    const auto exited = message(template_);
    EXPECT_EQ(exited.type, ControlType::exited);
    return static_cast<int>(exited.value);
  }

  TempFolder folder_;
  Fd runtime_;
  Child process_;
  Fd template_;
  Fd template_log_;
};

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

TEST_F(NativeRuntime, ACrashLeavesSignalAndStack) {
  compile(R"(#include <mayfly.h>
    #include <cstdlib>
    static volatile int* nowhere;
    __attribute__((noinline)) void write_nowhere() { *nowhere = 1; asm(""); }
    __attribute__((noinline)) void call_nowhere() { reinterpret_cast<void (*)()>(nowhere)(); asm(""); }
    __attribute__((noinline)) int deeper(int n) { volatile char room[1000]; room[0] = 1; return n == 0 ? 0 : deeper(n - 1) + room[0]; }
    mayfly::Response handle(const mayfly::Request& r) {
      if (r.path() == "/write") write_nowhere();
      if (r.path() == "/call") call_nowhere();
      if (r.path() == "/abort") std::abort();
      if (r.path() == "/deep") return deeper(1 << 30);
      return 200;
    }
    MAYFLY_HANDLER(handle))");
  load();
  struct Case {
    const char *path, *message, *stack;
    int signal;
  };
  for (const auto& [path, message, stack, signal] :
       {Case{"/write", "SIGSEGV: invalid memory access at 0x0\n    at write_nowhere() (f.cpp:4)\n",
             "    at handle(mayfly::Request const&) (f.cpp:8)\n", SIGSEGV},
        Case{"/call",
             "SIGSEGV: invalid memory access at 0x0\n    at 0x0 (no code)\n    at call_nowhere() (f.cpp:5)\n",
             "    at handle(mayfly::Request const&) (f.cpp:9)\n", SIGSEGV},
        Case{"/abort", "SIGABRT: the code called abort()\n",
             "    at handle(mayfly::Request const&) (f.cpp:10)\n", SIGABRT},
        Case{"/deep", "SIGSEGV: stack overflow\n    at deeper(int) (f.cpp:6)\n",
             "    at deeper(int) (f.cpp:6)\n", SIGSEGV}}) {
    auto instance = start();
    instance.invoke(path);
    EXPECT_EQ(instance.finish(), 0U);
    EXPECT_TRUE(instance.logs(stack)) << instance.lines;
    EXPECT_THAT(instance.lines, HasSubstr(message));
    const int status = wait_status();
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == signal) << path << " " << status;
  }
}

TEST_F(NativeRuntime, EndsThatCodeCausesAreTyped) {
  compile(R"(#include <mayfly.h>
    #include <cstdlib>
    #include <thread>
    void throws() { throw std::logic_error("nobody catches"); }
    void fails() noexcept { throws(); }
    mayfly::Response handle(const mayfly::Request& r) {
      if (r.path() == "/exit") std::exit(7);
      if (r.path() == "/thread") std::thread(fails).join();
      fails();
      return 200;
    }
    MAYFLY_HANDLER(handle))");
  load();
  auto instance = start();
  instance.invoke("/exit");
  auto frame = instance.next();
  EXPECT_EQ(frame.type, FrameType::fatal);
  EXPECT_EQ(frame.aux, static_cast<std::uint32_t>(wire::FatalKind::exit));
  EXPECT_EQ(std::string(frame.payload), std::string("7\0", 2));
  EXPECT_EQ(WEXITSTATUS(wait_status()), 7);

  auto other = start();
  other.invoke("/");
  frame = other.next();
  EXPECT_EQ(frame.type, FrameType::fatal);
  EXPECT_EQ(frame.aux, static_cast<std::uint32_t>(wire::FatalKind::uncaught));
  EXPECT_THAT(std::string(frame.payload), StartsWith("std::logic_error: nobody catches"));
  EXPECT_THAT(std::string(frame.payload), HasSubstr("at throws() (f.cpp:4)"));
  EXPECT_EQ(WEXITSTATUS(wait_status()), 1);

  auto third = start();
  third.invoke("/thread");
  EXPECT_EQ(third.finish(), 0U);
  EXPECT_TRUE(third.logs("SIGABRT")) << third.lines;
  EXPECT_THAT(third.lines, HasSubstr("uncaught exception: std::logic_error: nobody catches\n"));
  EXPECT_EQ(WTERMSIG(wait_status()), SIGABRT);
}

struct BadLoad {
  const char *name, *source, *kind, *message;
};
class NativeRuntimeRefuses : public NativeRuntime, public testing::WithParamInterface<BadLoad> {};

TEST_P(NativeRuntimeRefuses, WithItsReason) {
  compile(GetParam().source);
  const auto report = load(ControlType::failed);
  EXPECT_EQ(report["kind"], GetParam().kind) << report;
  EXPECT_THAT(report["message"].get<std::string>(), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    All, NativeRuntimeRefuses,
    testing::Values(
        BadLoad{"NoHandler", "int x;", "export", "f.so has no handler: write MAYFLY_HANDLER("},
        BadLoad{"OtherAbi",
                R"(extern "C" { extern const int mayfly_abi[8]; const int mayfly_abi[8] = {99, 8}; })",
                "init", "built with another mayfly.h than this Mayfly's (its version is 99, this one 1)"},
        BadLoad{"UndefinedSymbol",
                "namespace image { int scale(int); } int use() { return image::scale(1); }", "init",
                "f.so: undefined symbol: image::scale(int)"},
        BadLoad{"StaticConstructorThrows",
                "#include <stdexcept>\n struct A { A() { throw std::runtime_error(\"too early\"); } } a;",
                "init", "uncaught exception: std::runtime_error: too early while the code was loading"},
        BadLoad{"StaticConstructorAborts", "#include <cstdlib>\n struct A { A() { std::abort(); } } a;",
                "init", "SIGABRT: the code called abort() while the code was loading"},
        BadLoad{"StaticConstructorExits", "#include <cstdlib>\n struct A { A() { std::exit(3); } } a;",
                "init", "exit(3) was called while the code was loading"},
        BadLoad{"InitThrows",
                "#include <mayfly.h>\n void init() { throw std::runtime_error(\"no model\"); } "
                "MAYFLY_INIT(init)\n"
                "mayfly::Response handle(const mayfly::Request&) { return 200; } MAYFLY_HANDLER(handle)",
                "init", "init threw std::runtime_error: no model"}),
    [](const auto& test) { return test.param.name; });

TEST_F(NativeRuntime, AStaticConstructorsStackIsReported) {
  compile("#include <stdexcept>\nstruct A {\n  A() { throw std::runtime_error(\"x\"); }\n};\nA a;\n");
  EXPECT_THAT(load(ControlType::failed)["stack"].get<std::string>(), HasSubstr("at A::A() (f.cpp:3)"));
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
