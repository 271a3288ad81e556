// The daemon's first step: it becomes what can make boxes for functions.
#pragma once

#include <memory>
#include <vector>

#include "base/result.h"
#include "cli/serve_options.h"
#include "sandbox/cgroups.h"
#include "sandbox/layers.h"

namespace mayfly::daemon {

/// Before there is a second thread: becomes the root of a user namespace, if it is not root, and finds out
/// what this host gives, which is logged where something is missing. Error: not to start, because of a layer
/// that `--require` asks for, or because functions would be root on this host.
[[nodiscard]] Result<std::vector<sandbox::Layer>> prepare_sandbox(const cli::ServeOptions& options);

/// The daemon's control groups, once the data folder is its own. Limits that this host does not give are
/// named in the log; what can be limited without them still is. Error: `--require` asks for one of them.
[[nodiscard]] Result<std::shared_ptr<sandbox::Cgroups>> open_groups(const cli::ServeOptions& options);

}  // namespace mayfly::daemon
