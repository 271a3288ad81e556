// Whether a file can be executed here, told before it is tried.
#pragma once

#include <string>

#include "base/result.h"

namespace mayfly::exec {

/// The reason why `file` cannot run on this machine, in words for who deployed it, or nothing: it is there,
/// is a regular file with the run bit, and a script whose interpreter exists or an ELF program for this
/// machine.
[[nodiscard]] Result<void> check_executable(const std::string& file);

}  // namespace mayfly::exec
