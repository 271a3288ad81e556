// The `mayfly` command line.
#pragma once

#include "cli/serve_options.h"

namespace mayfly::cli {

/// Parses the command line, runs the verb, prints what went wrong; gives the exit code (error.h).
/// `serve` is the daemon.
int cli_main(int argc, char** argv, const ServeFunction& serve);

}  // namespace mayfly::cli
