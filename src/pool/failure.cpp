#include "pool/failure.h"

#include <sys/wait.h>

#include <csignal>
#include <cstring>

#include "base/text.h"

namespace mayfly::pool {
namespace {

const SlugCategory<PoolErrc, 16> kCategory(
    "pool", std::array{"handler-threw", "answer-broken", "uncaught-exception", "unhandled-rejection",
                       "instance-exited", "instance-killed", "out-of-memory", "instance-stuck", "fork-failed",
                       "template-failed", "protocol-violation", "answer-too-large", "headers-too-large",
                       "overdue-unheard", "forbidden-system-call", "too-many-processes"});

/// "message NUL stack" as two parts.
std::pair<std::string, std::string> split(std::string_view payload) {
  const auto nul = payload.find('\0');
  if (nul == std::string_view::npos) return {std::string(payload), {}};
  return {std::string(payload.substr(0, nul)), std::string(payload.substr(nul + 1))};
}

Error with_stack(PoolErrc code, std::string message, std::string stack) {
  Error error{code, std::move(message), {}};
  if (!stack.empty()) error.with("stack", std::move(stack));
  return error;
}

bool speaks_of_memory(std::string_view words) {
  return words.find("heap out of memory") != std::string_view::npos ||
         words.find("Allocation failed") != std::string_view::npos;
}

bool killed_by(int status, int signal) { return WIFSIGNALED(status) && WTERMSIG(status) == signal; }

/// "SIGSEGV" as "signal SEGV"
std::string signal_in_words(const std::string& name) {
  return name.starts_with("SIG") ? "signal " + name.substr(3) : name;
}

/// A process that asked for what its filter forbids says so before it dies of SIGSYS. A program that it has
/// executed cannot: then the name is not known.
Error forbidden_call(std::string_view last_words) {
  constexpr std::string_view kWords = "forbidden system call: ";
  Error error{PoolErrc::forbidden_system_call, "forbidden system call", {}};
  error.with("signal", "SIGSYS");
  const auto found = last_words.rfind(kWords);
  if (found == std::string_view::npos) return error;
  const auto rest = last_words.substr(found + kWords.size());
  std::string call(rest.substr(0, rest.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_")));
  error.message += ": " + call;
  return error.with("call", std::move(call));
}

}  // namespace

std::error_code make_error_code(PoolErrc code) { return {static_cast<int>(code), kCategory}; }

std::string signal_name(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(signal);
}

Error memory_error(std::uint64_t limit, std::uint64_t used) {
  Error error{PoolErrc::out_of_memory, "memory limit " + size_in_words(limit), {}};
  error.with("limit", format_size(limit));
  if (used == 0) return error;
  error.message += ": the instance used " + size_in_words(used);
  return error.with("used", format_size(used));
}

Error describe_loading_death(const Death& death) {
  if (speaks_of_memory(death.last_words) && death.memory != 0) {
    auto error = memory_error(death.memory, 0);
    error.code = PoolErrc::template_failed;
    error.message += ": the heap of the runtime was full while it loaded the code";
    return error;
  }
  std::string how = "ended";
  Error error{PoolErrc::template_failed, {}, {}};
  if (killed_by(death.status, SIGSYS)) {
    error = forbidden_call(death.last_words);
    error.code = PoolErrc::template_failed;
    how = "was ended for a " + error.message;
  } else if (death.status >= 0 && WIFEXITED(death.status)) {
    const auto code = std::to_string(WEXITSTATUS(death.status));
    how = "ended with exit code " + code;
    error.with("exitCode", code);
  } else if (death.status >= 0) {
    const auto name = signal_name(WTERMSIG(death.status));
    how = "was ended by " + signal_in_words(name);
    error.with("signal", name);
  }
  error.message = "the process " + how + " while it loaded the code";
  return error;
}

Error loading_memory_error(std::uint64_t limit, std::uint64_t group) {
  Error error{PoolErrc::template_failed,
              "memory limit " + size_in_words(limit) + ": loading the code took more than " +
                  size_in_words(group) + ", what the version's processes may use together",
              {}};
  error.with("limit", format_size(limit));
  return error;
}

Error processes_error(std::uint64_t limit, std::uint64_t used) {
  const auto most = std::to_string(limit);
  const auto had = std::to_string(used);
  return Error{PoolErrc::too_many_processes,
               "process limit " + most + ": the instance had " + had + " or more processes and threads",
               {{"limit", most}, {"used", had}}};
}

Error describe_death(const Death& death) {
  switch (death.cause) {
    case KillCause::deadline:
      return {PoolErrc::instance_killed, "the instance was ended: an invocation ran past its deadline", {}};
    case KillCause::stuck:
      return {PoolErrc::instance_stuck,
              "the instance was ended: another invocation ran past its deadline and blocked the event loop",
              {}};
    case KillCause::protocol:
      return {PoolErrc::protocol_violation, "the instance was ended: it broke the protocol", {}};
    case KillCause::shutdown:
      return {PoolErrc::instance_killed, "the daemon is shutting down", {}};
    case KillCause::none:
    case KillCause::idle:
    case KillCause::drained:
      break;
  }
  if (death.kernel_wanted_memory && (death.status < 0 || killed_by(death.status, SIGKILL)))
    return memory_error(death.memory, 0);
  if (death.status < 0)
    return {PoolErrc::instance_killed, "the instance ended together with its template", {}};
  if (WIFEXITED(death.status)) {
    const auto code = std::to_string(WEXITSTATUS(death.status));
    return Error{PoolErrc::instance_exited, "the instance ended with exit code " + code, {}}.with("exitCode",
                                                                                                  code);
  }
  if (killed_by(death.status, SIGSYS)) return forbidden_call(death.last_words);
  const auto name = signal_name(WTERMSIG(death.status));
  if (speaks_of_memory(death.last_words)) {
    if (death.memory == 0)
      return Error{PoolErrc::out_of_memory, "the instance ran out of heap memory", {}}.with("signal", name);
    auto error = memory_error(death.memory, 0);
    error.message += ": the heap of the runtime is full";
    return error.with("signal", name);
  }
  return Error{PoolErrc::instance_killed, "the instance was ended by " + signal_in_words(name), {}}.with(
      "signal", name);
}

Error describe_fatal(wire::FatalKind kind, std::string_view payload) {
  auto [message, stack] = split(payload);
  switch (kind) {
    case wire::FatalKind::exit:
      return Error{PoolErrc::instance_exited, "the function called exit with code " + message, {}}.with(
          "exitCode", message);
    case wire::FatalKind::rejection:
      return with_stack(PoolErrc::unhandled_rejection, "unhandled rejection: " + message, std::move(stack));
    case wire::FatalKind::uncaught:
      break;
  }
  return with_stack(PoolErrc::uncaught_exception, "uncaught exception: " + message, std::move(stack));
}

Error describe_handler_error(wire::ErrorKind kind, std::string_view payload) {
  auto [message, stack] = split(payload);
  if (kind == wire::ErrorKind::header)
    return Error{PoolErrc::headers_too_large, std::move(message), {}}.with(
        "limit", format_size(wire::kMaxAnswerHeaders));
  // An executable that answers one request: its end is no end of its instance (runtimes/exec).
  if (message == "SIGSYS") {
    auto error = forbidden_call(stack);
    return stack.empty() ? error : error.with("stack", std::move(stack));
  }
  if (message == "SIGKILL")  // by itself, or by a program that it has started
    return with_stack(PoolErrc::instance_killed, "the process was ended by signal KILL", std::move(stack))
        .with("signal", "SIGKILL");
  if (kind == wire::ErrorKind::stream)
    return with_stack(PoolErrc::answer_broken, "the answer is broken: " + message, std::move(stack));
  return with_stack(PoolErrc::handler_threw, std::move(message), std::move(stack));
}

}  // namespace mayfly::pool
