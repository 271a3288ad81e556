// The CGI form: the executable is started for each invocation.
#pragma once

#include "base/fd.h"
#include "bridge/log_sender.h"
#include "exec/configuration.h"

namespace mayfly::exec {

/// Invocations that one instance takes at once: it only moves bytes, the work is done by processes.
inline constexpr int kCgiConcurrency = 8;

/// Serves as an instance until the daemon wants it no more.
[[noreturn]] void serve_cgi(const Configuration& configuration, Fd data, bridge::LogSender& log);

}  // namespace mayfly::exec
