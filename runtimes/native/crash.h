// The ways in which a function's code ends its process, told while it still can: signals, exceptions that
// nobody catches, exit().
#pragma once

#include <string_view>

namespace mayfly::native {

enum class Ending {
  crash,     ///< a signal: the process ends by it when the listener returns
  uncaught,  ///< std::terminate
  exit,      ///< exit(); `message` is the status
};

/// Called once, in the middle of it: on whichever thread, for a signal on a stack of its own. `stack` is text
/// as of describe() (trace.h). May end the process.
using EndingListener = void (*)(Ending ending, std::string_view message, std::string_view stack);

/// Watches this process and those forked from it. A crash is also written to descriptor 2.
void watch_endings(EndingListener listener);

}  // namespace mayfly::native
