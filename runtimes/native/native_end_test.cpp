// The ways in which a native function fails: when it is loaded, and when it serves.
#include "native_test_support.h"

namespace mayfly::native {
namespace {

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
       {Case{"/write",
             "4 0123 SIGSEGV: invalid memory access at 0x0\n4 0123     at write_nowhere() (f.cpp:4)\n",
             "4 0123     at handle(mayfly::Request const&) (f.cpp:8)\n", SIGSEGV},
        Case{"/call",
             "4 0123 SIGSEGV: invalid memory access at 0x0\n4 0123     at 0x0 (no code)\n"
             "4 0123     at call_nowhere() (f.cpp:5)\n",
             "4 0123     at handle(mayfly::Request const&) (f.cpp:9)\n", SIGSEGV},
        Case{"/abort", "4 0123 SIGABRT: the code called abort()\n",
             "4 0123     at handle(mayfly::Request const&) (f.cpp:10)\n", SIGABRT},
        Case{"/deep", "4 0123 SIGSEGV: stack overflow\n4 0123     at deeper(int) (f.cpp:6)\n",
             "4 0123     at deeper(int) (f.cpp:6)\n", SIGSEGV}}) {
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
  EXPECT_THAT(third.lines, HasSubstr("4 0123 uncaught exception: std::logic_error: nobody catches\n"));
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

}  // namespace
}  // namespace mayfly::native
