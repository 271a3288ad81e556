#include "base/reap.h"

#include <sys/wait.h>

#include <cerrno>

namespace mayfly {

std::optional<Reaped> reap_any_child() {
  for (;;) {
    Reaped reaped;
    reaped.pid = ::waitpid(-1, &reaped.wait_status, WNOHANG);
    if (reaped.pid > 0) return reaped;
    if (reaped.pid < 0 && errno == EINTR) continue;
    return std::nullopt;
  }
}

}  // namespace mayfly
