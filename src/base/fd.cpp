#include "base/fd.h"

#include <fcntl.h>
#include <sys/socket.h>

namespace mayfly {

Result<FdPair> socket_pair(int type) {
  int fds[2];
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) != 0) return fail_errno("socketpair");
  FdPair pair{Fd(fds[0]), Fd(fds[1])};
  if (::fcntl(pair.ours.get(), F_SETFL, O_NONBLOCK) != 0) return fail_errno("fcntl O_NONBLOCK");
  return pair;
}

}  // namespace mayfly
