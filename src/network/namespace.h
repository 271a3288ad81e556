// Network namespaces (network_namespaces(7)): threads of one process can be in several.
#pragma once

#include <functional>
#include <string>

#include "base/fd.h"
#include "network/error.h"

namespace mayfly::network {

/// A new one. It lasts as long as a descriptor or a process holds it: it has no name. Needs CAP_SYS_ADMIN.
[[nodiscard]] Result<Fd> new_namespace();

/// Runs `what` on a thread of its own that is in `ns`, to its end. The calling thread stays where it is: an
/// ordinary user's daemon could leave the host's namespace, but not come back.
[[nodiscard]] Result<void> inside(int ns, const std::function<Result<void>()>& what);

/// Waits until a link of the calling thread's namespace carries packets, 2 s at most: the kernel is told that
/// its other end is up, and drops what is sent until it has come to that.
[[nodiscard]] Result<void> wait_until_up(const std::string& link);

}  // namespace mayfly::network
