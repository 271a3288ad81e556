// How instances, templates and handlers fail: typed reasons, in words that a developer can act on.
#pragma once

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
  template_failed,     ///< the code cannot be loaded
  protocol_violation,  ///< the instance sent what no bridge sends
  answer_too_large,    ///< more than max_response
  headers_too_large,   ///< those of an answer
  overdue_unheard,     ///< work that nobody waits for any more ran past the deadline
};
[[nodiscard]] std::error_code make_error_code(PoolErrc code);

/// What the daemon itself did to an instance, which explains its death better than the signal does.
enum class KillCause { none, deadline, stuck, idle, drained, protocol, shutdown };

/// The error for a death: `status` as wait(2) gives it, or -1 when it is not known; `last_words` is what
/// the runtime wrote to its standard error at the end.
[[nodiscard]] Error describe_death(int status, KillCause cause, std::string_view last_words);
/// The error of a fatal frame (uncaught exception, unhandled rejection, exit).
[[nodiscard]] Error describe_fatal(wire::FatalKind kind, std::string_view payload);
/// The error of an error frame.
[[nodiscard]] Error describe_handler_error(wire::ErrorKind kind, std::string_view payload);
/// "SIGSEGV" for SIGSEGV, "signal 99" for what has no name.
[[nodiscard]] std::string signal_name(int signal);

}  // namespace mayfly::pool

template <>
struct std::is_error_code_enum<mayfly::pool::PoolErrc> : std::true_type {};
