#include "network/namespace.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <chrono>
#include <thread>

#include "base/clock.h"

namespace mayfly::network {

Result<Fd> new_namespace() {
  Result<Fd> made;
  std::thread([&made] {
    if (::unshare(CLONE_NEWNET) != 0) {
      made = fail_errno("make a network namespace");
      return;
    }
    made = Fd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    if (!*made) made = fail_errno("open a network namespace");
  }).join();
  return made;
}

Result<void> inside(int ns, const std::function<Result<void>()>& what) {
  Result<void> done;
  std::thread([&] {
    if (::setns(ns, CLONE_NEWNET) == 0)
      done = what();
    else
      done = fail_errno("enter a network namespace");
  }).join();
  return done;
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

}  // namespace mayfly::network
