// The daemon's first step: it becomes what can make boxes for functions.
#pragma once

#include <vector>

#include "base/result.h"
#include "cli/serve_options.h"
#include "sandbox/layers.h"

namespace mayfly::daemon {

/// Before there is a second thread: becomes the root of a user namespace, if it is not root, and finds out
/// what this host gives, which is logged where something is missing. Error: not to start, because of a layer
/// that `--require` asks for, or because functions would be root on this host.
[[nodiscard]] Result<std::vector<sandbox::Layer>> prepare_sandbox(const cli::ServeOptions& options);

}  // namespace mayfly::daemon
