// A log line for people.
#pragma once

#include <string>
#include <string_view>

#include "cli/terminal.h"

namespace mayfly::cli {

/// {"time": …, "level": …, "version": …, "invocation": …, "text": …} → "12:00:00.123 warn  @3 1a2b3c4d text";
/// what is not JSON is printed as it is. Without a line end.
[[nodiscard]] std::string show_log_line(std::string_view line, const Output& output);

}  // namespace mayfly::cli
