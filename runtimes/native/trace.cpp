#include "trace.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <unwind.h>

#include <csignal>
#include <cstdlib>
#include <ctime>

#include "base/fd.h"
#include "base/reap.h"

namespace mayfly::native {
namespace {

constexpr int kToolPatience = 3'000;  // ms
constexpr std::size_t kMostOutput = 32U << 10U;
/// Calls are looked for no farther up the stack than this.
constexpr std::uintptr_t kStack = 8U << 20U;

const char* g_root = "";
std::array<char, 256> g_tool{};  // addr2line's path; empty: there is none

struct Module {
  std::string_view file;
  std::uintptr_t base = 0;
  std::string_view symbol;
};

Module module_of(std::uintptr_t address) {
  Dl_info info{};
  if (::dladdr(reinterpret_cast<void*>(address), &info) == 0 || info.dli_fname == nullptr) return {};
  return {info.dli_fname, reinterpret_cast<std::uintptr_t>(info.dli_fbase),
          info.dli_sname != nullptr ? std::string_view(info.dli_sname) : std::string_view()};
}

bool is_users(const Module& module) {
  const std::string_view root(g_root);
  return !root.empty() && module.file.starts_with(root);
}

std::uintptr_t own_base() {
  static const std::uintptr_t base = module_of(reinterpret_cast<std::uintptr_t>(&set_trace_root)).base;
  return base;
}

_Unwind_Reason_Code add_frame(_Unwind_Context* context, void* to) {
  auto& trace = *static_cast<Trace*>(to);
  int exact = 0;  // the address is that of the instruction itself, not of the one after the call
  const auto address = static_cast<std::uintptr_t>(_Unwind_GetIPInfo(context, &exact));
  if (address == 0 || trace.count == Trace::kMost) return _URC_END_OF_STACK;
  trace.frames[trace.count++] = exact != 0 ? address : address - 1;
  return _URC_NO_REASON;
}

/// Registers of the moment when the signal struck.
struct Registers {
  std::uintptr_t pc, stack, frame;
  std::uintptr_t link;  ///< where a call that has just been made returns to; 0: that lies on the stack
};

Registers registers_of(const ucontext_t& context) {
  const auto number = [](auto value) { return static_cast<std::uintptr_t>(value); };
  const auto& machine = context.uc_mcontext;
#if defined(__x86_64__)
  return {number(machine.gregs[REG_RIP]), number(machine.gregs[REG_RSP]), number(machine.gregs[REG_RBP]), 0};
#elif defined(__aarch64__)
  return {number(machine.pc), number(machine.sp), number(machine.regs[29]), number(machine.regs[30])};
#else
#error "which registers hold the program counter and the frame?"
#endif
}

/// A call to nowhere: the unwinder knows nothing of that place, but functions are built with frame pointers.
Trace follow_frames(const Registers& at) {
  Trace trace;
  trace.frames[trace.count++] = at.pc;
  trace.frames[trace.count++] =
      (at.link != 0 ? at.link : *reinterpret_cast<const std::uintptr_t*>(at.stack)) - 1;
  auto frame = at.frame;
  while (trace.count < Trace::kMost && frame % sizeof frame == 0 && frame > at.stack &&
         frame - at.stack < kStack) {
    const auto* record = reinterpret_cast<const std::uintptr_t*>(frame);
    if (record[1] == 0) break;
    trace.frames[trace.count++] = record[1] - 1;
    if (record[0] <= frame) break;
    frame = record[0];
  }
  return trace;
}

void drop_front(Trace& trace, std::size_t frames) {
  for (std::size_t i = frames; i < trace.count; ++i) trace.frames[i - frames] = trace.frames[i];
  trace.count -= frames;
}

std::int64_t now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000 + now.tv_nsec / 1'000'000;
}

/// Runs a program and keeps what it prints.
std::string_view run(char* const* argv, std::array<char, kMostOutput>& output) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return {};
  const pid_t pid = ::_Fork();  // runs no handlers of anybody: this may be inside a signal's
  if (pid == 0) {
    ::dup2(pipe[1], 1);
    ::dup2(::open("/dev/null", O_RDWR), 2);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    const char* environment[] = {"LC_ALL=C", nullptr};
    ::execve(argv[0], argv, const_cast<char**>(environment));
    ::_exit(127);
  }
  ::close(pipe[1]);
  std::size_t size = 0;
  const auto until = now_ms() + kToolPatience;
  while (pid > 0 && size < output.size()) {
    pollfd readable{pipe[0], POLLIN, 0};
    const auto left = until - now_ms();
    if (left <= 0 || ::poll(&readable, 1, static_cast<int>(left)) <= 0) break;
    const ssize_t got = ::read(pipe[0], output.data() + size, output.size() - size);
    if (got <= 0) break;
    size += static_cast<std::size_t>(got);
  }
  ::close(pipe[0]);
  if (const Fd pidfd(pid > 0 ? static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)) : -1); pidfd) {
    kill_process(pidfd.get());
    (void)wait_for_exit(pidfd.get());
  }
  return {output.data(), size};
}

std::string_view take_line(std::string_view& text) {
  const auto line = text.substr(0, text.find('\n'));
  text.remove_prefix(line.size() < text.size() ? line.size() + 1 : text.size());
  return line;
}

FixedText<(32U << 10U)> g_text;

void add_call(std::string_view name, std::string_view place) {
  ((g_text += "    at ") += name) += " (";
  (g_text += place) += ")\n";
}

/// "void mayfly::detail::serve<…": what mayfly.h puts between the runtime and the handler.
bool is_glue(std::string_view name) {
  const auto first = name.substr(0, name.find_first_of("<("));
  return first.find("mayfly::detail::") != std::string_view::npos;
}

/// The calls at one address, as addr2line prints them: pairs of a name and a place, inlined ones first.
void add_lines(std::string_view lines, const Module& module) {
  while (!lines.empty()) {
    const auto name = take_line(lines);
    auto place = take_line(lines);
    place = place.substr(0, place.find(" (discriminator"));
    while (place.starts_with("./")) place.remove_prefix(2);
    if (const std::string_view root(g_root); place.starts_with(root))
      place.remove_prefix(std::min(root.size() + 1, place.size()));
    if (is_glue(name)) continue;
    if (name.starts_with("??"))
      add_call(module.symbol.empty() ? "?" : module.symbol, module.file.substr(module.file.rfind('/') + 1));
    else
      add_call(name, place.starts_with("??") ? module.file.substr(module.file.rfind('/') + 1) : place);
  }
}

/// Describes frames from `first` on that lie in the same file of the user's; returns the first that does not.
std::size_t describe_users(const Trace& trace, std::size_t first, const Module& module) {
  static std::array<char, 4096> file;
  static std::array<FixedText<20>, Trace::kMost> addresses;
  static std::array<char*, Trace::kMost + 8> argv;
  static std::array<char, kMostOutput> output;
  if (g_tool[0] == '\0' || module.file.size() >= file.size()) return first;
  file[module.file.copy(file.data(), file.size() - 1)] = '\0';
  std::size_t arguments = 0;
  for (const char* argument : {static_cast<const char*>(g_tool.data()), "-C", "-f", "-i", "-a", "-e",
                               static_cast<const char*>(file.data())})
    argv[arguments++] = const_cast<char*>(argument);
  std::size_t next = first;
  for (; next < trace.count && module_of(trace.frames[next]).base == module.base; ++next) {
    auto& address = addresses[next];
    address.clear();
    address.hex(trace.frames[next] - module.base) += std::string_view("\0", 1);
    argv[arguments++] = const_cast<char*>(address.view().data());
  }
  argv[arguments] = nullptr;
  std::string_view said = run(argv.data(), output);
  if (!said.starts_with("0x")) return first;
  for (std::size_t frame = first; frame < next && !said.empty(); ++frame) {
    (void)take_line(said);  // the address
    const auto end = said.find("\n0x");
    add_lines(said.substr(0, end), module_of(trace.frames[frame]));
    said.remove_prefix(end == std::string_view::npos ? said.size() : end + 1);
  }
  return next;
}

}  // namespace

void set_trace_root(const char* folder) { g_root = folder; }

void prepare_traces() {
  (void)trace_here();  // the unwinder's tables are there from now on
  (void)own_base();
  for (const char* path : {"/usr/bin/addr2line", "/usr/local/bin/addr2line", "/usr/bin/llvm-addr2line"}) {
    if (::access(path, X_OK) != 0) continue;
    const std::string_view found(path);
    found.copy(g_tool.data(), g_tool.size() - 1);
    return;
  }
}

Trace trace_here() {
  Trace trace;
  _Unwind_Backtrace(&add_frame, &trace);
  for (std::size_t i = 0; i < trace.count; ++i) {
    if (!is_users(module_of(trace.frames[i]))) continue;
    drop_front(trace, i);
    break;
  }
  return trace;
}

Trace trace_of(const ucontext_t& context) {
  const Registers at = registers_of(context);
  if (module_of(at.pc).base == 0) return follow_frames(at);
  Trace trace;
  _Unwind_Backtrace(&add_frame, &trace);
  for (std::size_t i = 0; i < trace.count; ++i) {
    if (trace.frames[i] != at.pc) continue;
    drop_front(trace, i);
    break;
  }
  return trace;
}

std::string_view describe(const Trace& trace) {
  g_text.clear();
  for (std::size_t i = 0; i < trace.count;) {
    const Module module = module_of(trace.frames[i]);
    if (module.base == own_base()) break;  // the runtime, which called the handler
    if (is_users(module)) {
      const auto next = describe_users(trace, i, module);
      if (next > i) {
        i = next;
        continue;
      }
    }
    FixedText<64> address;
    address.hex(trace.frames[i]);
    add_call(module.symbol.empty() ? address.view() : module.symbol,
             module.file.empty() ? "no code" : module.file.substr(module.file.rfind('/') + 1));
    ++i;
  }
  return g_text.view();
}

}  // namespace mayfly::native
