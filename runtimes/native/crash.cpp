#include "crash.h"

#include <cxxabi.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>

#include "mayfly.h"
#include "output.h"
#include "trace.h"

namespace mayfly::native {
namespace {

constexpr std::array kSignals{SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL};
constexpr std::size_t kHandlerStack = 128U << 10U;
/// A fault so near to the stack pointer is one of the stack.
constexpr std::uintptr_t kGuard = 64U << 10U;

EndingListener g_listener = nullptr;
std::atomic_flag g_ending = ATOMIC_FLAG_INIT;  // somebody is at it already

std::uintptr_t stack_pointer(const ucontext_t& context) {
#if defined(__x86_64__)
  return static_cast<std::uintptr_t>(context.uc_mcontext.gregs[REG_RSP]);
#else
  return static_cast<std::uintptr_t>(context.uc_mcontext.sp);
#endif
}

void describe_signal(FixedText<256>& text, int signal, const siginfo_t& info, const ucontext_t& context) {
  const char* name = ::sigabbrev_np(signal);
  (text += "SIG") += name != nullptr ? std::string_view(name) : std::string_view("?");
  const auto address = reinterpret_cast<std::uintptr_t>(info.si_addr);
  const auto stack = stack_pointer(context);
  const bool sent = info.si_code <= 0;  // by a process, perhaps this one
  if (signal == SIGABRT)
    text += ": the code called abort()";
  else if (sent)
    text += ": sent by a process";
  else if (signal == SIGFPE)
    text += info.si_code == FPE_INTDIV ? ": integer division by zero" : ": arithmetic error";
  else if (signal == SIGILL)
    text += ": illegal instruction";
  else if (signal == SIGSEGV && address + kGuard > stack && address < stack + kGuard)
    text += ": stack overflow";
  else
    (text += ": invalid memory access at ").hex(address);
}

void on_signal(int signal, siginfo_t* info, void* raw_context) {
  if (g_ending.test_and_set()) {  // a second thread, or a crash in here
    std::signal(signal, SIG_DFL);
    ::raise(signal);
    return;
  }
  const int error = errno;
  const auto& context = *static_cast<const ucontext_t*>(raw_context);
  FixedText<256> message;
  describe_signal(message, signal, *info, context);
  const auto stack = describe(trace_of(context));
  static FixedText<(33U << 10U)> words;
  ((words += message.view()) += "\n") += stack;
  log_last_lines(words.view());
  g_listener(Ending::crash, message.view(), stack);
  errno = error;
  std::signal(signal, SIG_DFL);
  ::raise(signal);  // strikes when this returns
}

[[noreturn]] void on_terminate() {
  // Its connection to the daemon belongs to the first thread, which goes on meanwhile.
  const bool first_thread = ::syscall(SYS_gettid) == ::getpid();
  const auto what = std::current_exception() != nullptr ? detail::describe_exception()
                                                        : std::string("std::terminate was called");
  if (first_thread && !g_ending.test_and_set()) g_listener(Ending::uncaught, what, describe(trace_here()));
  g_ending.clear();
  log_last_lines("uncaught exception: " + what + "\n");
  std::abort();
}

void on_exit_called(int status, void*) {
  if (!g_ending.test_and_set()) g_listener(Ending::exit, std::to_string(status), {});
}

}  // namespace

void watch_endings(EndingListener listener) {
  g_listener = listener;
  static std::array<char, kHandlerStack> stack;
  stack_t alternate{};
  alternate.ss_sp = stack.data();
  alternate.ss_size = stack.size();
  ::sigaltstack(&alternate, nullptr);
  struct sigaction action{};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (const int signal : kSignals) ::sigaction(signal, &action, nullptr);
  std::set_terminate(on_terminate);
  ::on_exit(on_exit_called, nullptr);
}

}  // namespace mayfly::native
