// Starting a runtime process as the first process of a PID namespace of its own: when it ends, by
// whatever cause, the kernel ends every process below it (pid_namespaces(7)).
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/fd.h"

namespace mayfly::sandbox {

struct LaunchOptions {
  std::vector<std::string> argv;         ///< argv[0] is the executable's path
  std::vector<std::string> environment;  ///< "NAME=value"
  int control = -1;                      ///< becomes descriptor kControlFd
  int output = -1;                       ///< becomes descriptors 1 and 2
};
inline constexpr int kControlFd = 3;

struct Launched {
  pid_t pid = 0;  ///< as the daemon sees it
  Fd pidfd;
  bool own_pid_namespace = false;  ///< false where the host allows no namespaces
};

/// Starts a process that is killed when the calling thread ends. Where the caller may make them (as root, or
/// in a user namespace of its own: own_root.h) it gets PID and mount namespaces with a /proc of its own;
/// otherwise it runs without (and `own_pid_namespace` says so). The caller reaps it.
[[nodiscard]] Result<Launched> launch(const LaunchOptions& options);

}  // namespace mayfly::sandbox
