// The Lambda form: the executable is started with the instance and asks for its invocations.
#pragma once

#include "base/fd.h"
#include "bridge/log_sender.h"
#include "exec/configuration.h"

namespace mayfly::exec {

/// As on Lambda: one invocation at a time.
inline constexpr int kLambdaConcurrency = 1;

/// Serves as an instance until the daemon wants it no more, or the executable ends.
[[noreturn]] void serve_lambda(const Configuration& configuration, Fd data, bridge::LogSender& log);

}  // namespace mayfly::exec
