// How instances, templates and handlers fail: typed reasons, in words that a developer can act on.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/frame.h"

namespace mayfly::pool {

enum class PoolErrc {
  handler_threw = 1,   ///< the handler threw or rejected
  answer_broken,       ///< the answer broke off after its head
  uncaught_exception,  ///< an exception outside of any handler ended the instance
  unhandled_rejection,
  instance_exited,  ///< process.exit, or the runtime ended by itself
  instance_killed,  ///< by a signal
  out_of_memory,
  instance_stuck,  ///< it did not answer to a ping: another invocation blocks its event loop
  fork_failed,
  template_failed,        ///< the code cannot be loaded
  protocol_violation,     ///< the instance sent what no bridge sends
  answer_too_large,       ///< more than max_response
  headers_too_large,      ///< those of an answer
  overdue_unheard,        ///< work that nobody waits for any more ran past the deadline
  forbidden_system_call,  ///< a system call that the sandbox does not let through
  too_many_processes,     ///< more processes and threads than one instance may have
};
[[nodiscard]] std::error_code make_error_code(PoolErrc code);

/// What the daemon itself did to an instance, which explains its death better than the signal does.
enum class KillCause { none, deadline, stuck, idle, drained, protocol, shutdown };

/// How a process died.
struct Death {
  int status = -1;  ///< as wait(2) gives it; -1: not known
  KillCause cause = KillCause::none;
  std::string_view last_words{};  ///< what it wrote to its standard error at the end
  std::uint64_t memory = 0;       ///< bytes that it was allowed; 0: no limit
  bool kernel_wanted_memory =
      false;  ///< the kernel has killed a process of its group because the limit was reached
};
/// The error for a death.
[[nodiscard]] Error describe_death(const Death& death);
/// The same, of a process that loaded the code and did not come to an end with it. `cause` is not looked at.
[[nodiscard]] Error describe_loading_death(const Death& death);
/// "memory limit 128 MiB: the instance used 140 MiB"; `used` 0: not known.
[[nodiscard]] Error memory_error(std::uint64_t limit, std::uint64_t used);
/// "memory limit 128 MiB: loading the code took more than 408 MiB": `group` is what the kernel held it to.
[[nodiscard]] Error loading_memory_error(std::uint64_t limit, std::uint64_t group);
/// "process limit 256: the instance had 300 or more processes and threads"
[[nodiscard]] Error processes_error(std::uint64_t limit, std::uint64_t used);
/// The error of a fatal frame (uncaught exception, unhandled rejection, exit).
[[nodiscard]] Error describe_fatal(wire::FatalKind kind, std::string_view payload);
/// The error of an error frame.
[[nodiscard]] Error describe_handler_error(wire::ErrorKind kind, std::string_view payload);
/// "SIGSEGV" for SIGSEGV, "signal 99" for what has no name.
[[nodiscard]] std::string signal_name(int signal);

}  // namespace mayfly::pool

template <>
struct std::is_error_code_enum<mayfly::pool::PoolErrc> : std::true_type {};
