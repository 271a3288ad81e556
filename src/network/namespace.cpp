#include "network/namespace.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "base/clock.h"

namespace mayfly::network {

Result<Fd> this_namespace() {
  Fd ns(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!ns) return fail_errno("open the network namespace");
  return ns;
}

Result<void> enter_namespace(int ns) {
  if (::setns(ns, CLONE_NEWNET) != 0) return fail_errno("enter a network namespace");
  return {};
}

Result<Fd> new_namespace() {
  if (::unshare(CLONE_NEWNET) != 0) return fail_errno("make a network namespace");
  return this_namespace();
}

Result<void> wait_until_up(const std::string& link) {
  constexpr milliseconds kPatience{2000};
  constexpr milliseconds kPause{1};
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno("open a socket");
  ifreq request{};
  link.copy(request.ifr_name, IFNAMSIZ - 1);
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < deadline) {
    if (::ioctl(socket.get(), SIOCGIFFLAGS, &request) != 0) return fail_errno("look at " + link);
    if ((request.ifr_flags & IFF_RUNNING) != 0) return {};
    std::this_thread::sleep_for(kPause);
  }
  return fail(NetworkErrc::refused, link + " does not come up");
}

Visit::Visit(int there, int back) : back_(back), entered_(enter_namespace(there).has_value()) {}

Visit::~Visit() {
  // In the wrong namespace this thread would set up the host's network instead of its own.
  if (entered_ && !enter_namespace(back_)) std::abort();
}

}  // namespace mayfly::network
