// The loopback interface of a new network namespace.
#pragma once

namespace mayfly::sandbox {

/// It is down when the namespace is made (netdevice(7)). Async-signal-safe; needs rights over the namespace.
void start_loopback() noexcept;

}  // namespace mayfly::sandbox
