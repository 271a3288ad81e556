// How a verb fails, and with which exit code.
#pragma once

#include "base/result.h"

namespace mayfly::cli {

/// The exit codes of every verb.
enum ExitCode : int {
  kOk = 0,
  kFailed = 1,       ///< the function failed, or the daemon or this machine refused what was asked
  kUsage = 2,        ///< the command line makes no sense
  kUnreachable = 3,  ///< no daemon answers there, or it does not take the token
};

enum class CliErrc {
  usage = 1,
  unreachable,
  unauthorized,
  problem,  ///< the daemon answered with a problem document: detail "problem" (JSON), "status"
  failed,   ///< anything else
};
[[nodiscard]] std::error_code make_error_code(CliErrc code);
[[nodiscard]] ExitCode exit_code(const Error& error);

}  // namespace mayfly::cli

template <>
struct std::is_error_code_enum<mayfly::cli::CliErrc> : std::true_type {};
