// A function's shared object: loaded, checked, initialised.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"
#include "server.h"

namespace mayfly::native {

/// Why a function cannot be loaded, as the template reports it (docs/wire.md, "failed").
struct LoadFailure {
  std::string kind;  ///< "export": no handler; "init": everything else
  std::string message;
  std::string stack{};
};

/// Loads `root`/`entry` and runs what it wants to run first. User code runs in here: it may also throw, exit,
/// crash or never return; crash.h says what becomes of that.
[[nodiscard]] std::expected<Handler, LoadFailure> load(const std::filesystem::path& root,
                                                       const std::string& entry);

/// "…: undefined symbol: _Z5scalei" with the name as it was written, and without `root`.
[[nodiscard]] std::string explain_dlerror(std::string text, const std::string& root);

}  // namespace mayfly::native
