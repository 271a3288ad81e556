// What this machine has of the programs that functions need. Any thread; what runs a program blocks.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace mayfly::daemon {

/// Where this program lies, and beside it what belongs to it.
[[nodiscard]] std::filesystem::path executable_folder();

/// esbuild's executable: `wanted` if not empty, MAYFLY_ESBUILD, beside this program, in PATH. Empty if there
/// is none.
[[nodiscard]] std::filesystem::path find_esbuild(const std::string& wanted);

struct Interpreter {
  std::string path;     ///< of the program itself, not of a shim that starts it
  std::string version;  ///< "3.11.7"
};

/// `wanted` is a path or a name to look for in PATH; empty: node. Error: not there.
[[nodiscard]] Result<Interpreter> find_node(const std::string& wanted);

/// `wanted` is a path or a name to look for in PATH; empty: the first that is new enough of python3,
/// python3.13, …. Error: not there, too old, or it does not run.
[[nodiscard]] Result<Interpreter> find_python(const std::string& wanted);

/// Whether a function may name this file as its interpreter: a program that belongs to root or to the
/// daemon's user, which nobody else can write, and does not lie in one of the untrusted folders. Error: why
/// not.
[[nodiscard]] Result<void> check_interpreter(const std::filesystem::path& path,
                                             const std::vector<std::filesystem::path>& untrusted);

}  // namespace mayfly::daemon
