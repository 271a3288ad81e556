#include "base/reap.h"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

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

std::optional<int> wait_for_exit(int pidfd) {
  siginfo_t info{};
  while (::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd), &info, WEXITED) != 0)
    if (errno != EINTR) return std::nullopt;
  return info.si_code == CLD_EXITED ? W_EXITCODE(info.si_status, 0) : W_EXITCODE(0, info.si_status);
}

void kill_process(int pidfd) { ::syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0); }

}  // namespace mayfly
