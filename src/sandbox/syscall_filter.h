// Which system calls a function may make: a seccomp filter (seccomp(2)), made once by the daemon with
// libseccomp and given to every template as a program, so that no runtime needs that library.
#pragma once

#include "base/fd.h"

namespace mayfly::sandbox {

/// A sealed file that holds the filter's program, for install_filter(). What runtimes need is allowed; a
/// short list of what nobody needs but who wants to get out traps (forbidden_calls.h says what happens then);
/// all else does not exist (ENOSYS), as on an older kernel.
[[nodiscard]] Result<Fd> make_filter();

}  // namespace mayfly::sandbox
