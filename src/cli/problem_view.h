// A problem document for people: like a compiler where it is about code.
#pragma once

#include <filesystem>
#include <string>

#include "cli/terminal.h"

namespace mayfly::cli {

/// "hello.js:3:10: error: Unexpected token", the line of code with a caret (if the file is below
/// `source`, or is it), stack and log lines, and what the platform says on top of it. Ends with a line end.
[[nodiscard]] std::string show_problem(const std::string& document, const Output& output,
                                       const std::filesystem::path& source = {});

}  // namespace mayfly::cli
