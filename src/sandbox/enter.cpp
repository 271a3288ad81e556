#include "sandbox/enter.h"

#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "sandbox/forbidden_calls.h"
#include "sandbox/landlock.h"
#include "sandbox/loopback.h"
#include "sandbox/privileges.h"
#include "sandbox/root_folder.h"
#include "sandbox/temporary.h"
#include "sandbox/user_namespace.h"

namespace mayfly::sandbox {
namespace {

Result<void> failed(const char* step) {
  return fail_errno(std::string("the sandbox cannot be made: ") + step);
}

/// The descriptors of a box by what they are for.
struct Given {
  Fd filter;
  Fd temporary;
  Fd network;
  std::vector<Fd> cgroups;
};

Given sort_out(const Box& box, std::vector<Fd>& descriptors) {
  Given given;
  for (std::size_t i = 0; i < descriptors.size() && i < box.descriptors.size(); ++i) {
    auto& fd = descriptors[i];
    switch (box.descriptors[i]) {
      case BoxDescriptor::filter:
        given.filter = std::move(fd);
        break;
      case BoxDescriptor::temporary:
        given.temporary = std::move(fd);
        break;
      case BoxDescriptor::network:
        given.network = std::move(fd);
        break;
      case BoxDescriptor::cgroup:
        given.cgroups.push_back(std::move(fd));
        break;
    }
  }
  return given;
}

bool limit(__rlimit_resource resource, std::uint64_t value) noexcept {
  const rlimit both{value, value};
  return ::setrlimit(resource, &both) == 0 || errno == EPERM;  // a lower one is there already
}

/// Before Linux 5.14 this limit counts all that a user runs, in the box or not.
bool counts_processes_apart() noexcept {
  utsname name{};
  if (::uname(&name) != 0) return false;
  char* rest = nullptr;
  const auto major = std::strtol(name.release, &rest, 10);
  const auto minor = *rest == '.' ? std::strtol(rest + 1, nullptr, 10) : 0;
  return major > 5 || (major == 5 && minor >= 14);
}

/// So that the template can fork when its instances have all the processes that there may be.
bool leave_some_to_the_template() noexcept {
  constexpr rlim_t kSpare = 16;
  rlimit most{};
  if (::getrlimit(RLIMIT_NPROC, &most) != 0) return false;
  if (most.rlim_max == RLIM_INFINITY || most.rlim_max <= 2 * kSpare) return true;
  return limit(RLIMIT_NPROC, most.rlim_max - kSpare);
}

/// What has to happen while the process still is the daemon's user: whatever reaches beyond the box.
const char* take_hold(const Box& box, const Given& given, RootFolder& root) {
  for (const auto& group : given.cgroups)
    if (::write(group.get(), "0", 1) != 1) return "join a cgroup";
  if (box.network == BoxNetwork::given && ::setns(given.network.get(), CLONE_NEWNET) != 0)
    return "enter the network namespace";
  return box.namespaces ? root.take_hold() : nullptr;
}

const char* enter_namespaces(const Box& box, const Given& given, RootFolder& root) {
  int namespaces = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
  if (box.network == BoxNetwork::own) namespaces |= CLONE_NEWNET;
  if (!become_user(box.user)) return "change the user";
  if (const char* step = enter_user_namespace(Box::kUserInside, namespaces)) return step;
  if (const char* step = root.enter()) return step;
  if (::sethostname(box.hostname.data(), box.hostname.size()) != 0) return "sethostname";
  if (box.network == BoxNetwork::own) start_loopback();
  return given.temporary ? mount_temporary(given.temporary.get()) : nullptr;
}

const char* lock(const Box& box, const Given& given) {
  ::umask(0022);
  if (!limit(RLIMIT_NOFILE, box.open_files)) return "limit open files";
  if (box.namespaces && box.processes != 0 && counts_processes_apart())
    if (!limit(RLIMIT_NPROC, box.processes)) return "limit processes";
  // Not before the user has changed: that clears it.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (!(box.forks && box.namespaces ? drop_privileges_but(CAP_SYS_ADMIN) : drop_privileges()))
    return "drop privileges";
  if (box.namespaces)
    if (const char* step = box.forks ? enter_landlock_of_template() : enter_landlock()) return step;
  return given.filter ? install_filter(given.filter.get()) : nullptr;
}

}  // namespace

Result<void> enter(const Box& box, std::vector<Fd> descriptors) {
  const auto given = sort_out(box, descriptors);
  RootFolder root(box);
  if (const char* step = take_hold(box, given, root)) return failed(step);
  if (box.namespaces)
    if (const char* step = enter_namespaces(box, given, root)) return failed(step);
  if (const char* step = lock(box, given)) return failed(step);
  return {};
}

Result<void> enter_as_instance(Fd temporary) {
  if (const char* step = mount_own_temporary(temporary.get())) return failed(step);
  if (!leave_some_to_the_template()) return failed("limit processes");
  if (!drop_capabilities()) return failed("drop capabilities");
  if (const char* step = enter_landlock()) return failed(step);
  return {};
}

}  // namespace mayfly::sandbox
