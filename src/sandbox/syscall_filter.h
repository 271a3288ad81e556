// Which system calls a function may make: a seccomp filter (seccomp(2)), made once by the daemon with
// libseccomp and given to every template as a program, so that no runtime needs that library. Commands that
// build have the same one.
#pragma once

#include <cstdint>

#include "base/fd.h"

namespace mayfly::sandbox {

/// What becomes of who makes a forbidden call.
enum class Forbidden : std::uint8_t {
  ends,    ///< it traps, and dies with the call's name (forbidden_calls.h)
  refused  ///< EPERM: for tools, which try out what a host allows, and would not say why they died
};

/// A sealed file that holds the filter's program, for install_filter(). What runtimes need is allowed; a
/// short list of what nobody needs but who wants to get out is forbidden; all else does not exist (ENOSYS),
/// as on an older kernel.
[[nodiscard]] Result<Fd> make_filter(Forbidden forbidden = Forbidden::ends);

}  // namespace mayfly::sandbox
