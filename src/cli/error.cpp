#include "cli/error.h"

#include <array>

namespace mayfly::cli {

std::error_code make_error_code(CliErrc code) {
  static const SlugCategory<CliErrc, 5> category(
      "cli", std::array{"usage", "unreachable", "unauthorized", "problem", "failed"});
  return {static_cast<int>(code), category};
}

ExitCode exit_code(const Error& error) {
  if (error.code == CliErrc::usage) return kUsage;
  if (error.code == CliErrc::unreachable || error.code == CliErrc::unauthorized) return kUnreachable;
  return kFailed;
}

}  // namespace mayfly::cli
