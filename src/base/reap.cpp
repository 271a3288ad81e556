#include "base/reap.h"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <string>

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

pid_t pid_of(int pidfd) {
  std::ifstream info("/proc/self/fdinfo/" + std::to_string(pidfd));
  for (std::string word; info >> word;) {
    pid_t pid = 0;
    if (word == "Pid:" && info >> pid) return std::max(pid, 0);
  }
  return 0;
}

}  // namespace mayfly
