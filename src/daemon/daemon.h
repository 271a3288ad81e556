// The daemon: all wiring, and its life from start to drain.
#pragma once

#include "cli/serve_options.h"

namespace mayfly::daemon {

/// Runs until SIGTERM or SIGINT; the exit code of the process.
int serve(const cli::ServeOptions& options);

}  // namespace mayfly::daemon
