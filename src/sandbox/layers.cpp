#include "sandbox/layers.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include "base/fd.h"
#include "base/pipe.h"
#include "base/reap.h"
#include "sandbox/enter.h"
#include "sandbox/forbidden_calls.h"
#include "sandbox/landlock.h"
#include "sandbox/temporary.h"
#include "sandbox/user_range.h"

namespace mayfly::sandbox {
namespace {

constexpr int kPatience = 20'000;  // ms

Box trial_box() {
  Box box;
  box.hostname = "trial";
  box.visible = {{"/usr", "/usr"}};
  const auto users = users_of_functions();
  box.user = users.count > 0 ? users.first : ::geteuid();
  box.descriptors = {BoxDescriptor::temporary};
  return box;
}

/// In a process of its own, the first of a PID namespace: enters a box as a template does. What failed, or
/// nothing.
std::string try_box() {
  auto temporary = make_temporary(1U << 20U);
  if (!temporary) return temporary.error().message;
  std::vector<Fd> descriptors;
  descriptors.push_back(std::move(*temporary));
  auto pipe = make_pipe();
  if (!pipe) return pipe.error().message;
  const Fd from = std::move(pipe->read);
  Fd to = std::move(pipe->write);
  const auto pid = static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD | CLONE_NEWPID, 0, 0, 0, 0));
  if (pid < 0) return fail_errno("a new PID namespace").error().message;
  if (pid == 0) {
    const auto entered = enter(trial_box(), std::move(descriptors));
    if (!entered) (void)!::write(to.get(), entered.error().message.data(), entered.error().message.size());
    ::_exit(0);
  }
  to.reset();
  std::array<char, 256> words{};
  pollfd ended{from.get(), POLLIN, 0};
  int ready = 0;
  do ready = ::poll(&ended, 1, kPatience);
  while (ready < 0 && errno == EINTR);
  const bool answered = ready == 1;
  const auto got = answered ? ::read(from.get(), words.data(), words.size()) : 0;
  end_child(pid);
  if (!answered) return "a trial did not end";
  if (got < 0) return "a trial cannot be read";
  return {words.data(), static_cast<std::size_t>(got)};
}

Layer namespaces_layer() {
  auto failed = try_box();
  if (!failed.empty()) failed = try_box();  // a machine that is short of something for a moment
  if (failed.empty()) return {"namespaces", true, "user, mount, PID, IPC, UTS, network, cgroup"};
  return {"namespaces", false,
          failed +
              ": functions see the host's files and processes. Run as root and not in a chroot, or allow "
              "user namespaces "
              "(sysctl kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)"};
}

Layer users_layer() {
  const auto users = users_of_functions();
  if (users.count > 0) return {"users", true, std::to_string(users.count) + " for functions"};
  return {"users", false,
          "all functions are the daemon's user: install uidmap and give that user a range in /etc/subuid and "
          "/etc/subgid, or run as root"};
}

Layer seccomp_layer() {
  if (has_filters()) return {"seccomp", true, "a filter"};
  return {"seccomp", false, "the kernel has no seccomp filters"};
}

Layer landlock_layer() {
  const int version = landlock_version();
  if (version > 0) return {"landlock", true, "version " + std::to_string(version)};
  return {"landlock", false, "the kernel has no Landlock, or it is not enabled (lsm=landlock,… at boot)"};
}

}  // namespace

std::vector<Layer> probe_layers() {
  return {namespaces_layer(), users_layer(), seccomp_layer(), landlock_layer()};
}

bool has_layer(const std::vector<Layer>& layers, std::string_view name) {
  return std::ranges::any_of(layers, [&](const Layer& layer) { return layer.name == name && layer.there; });
}

std::optional<std::string> lacks(const std::vector<Layer>& layers, std::string_view name) {
  const auto found = std::ranges::find(layers, name, &Layer::name);
  if (found == layers.end()) {
    std::string names;
    for (const auto& layer : layers) names += (names.empty() ? "" : ", ") + layer.name;
    return "there is no such layer; there are " + names;
  }
  if (found->there) return std::nullopt;
  return found->reason;
}

}  // namespace mayfly::sandbox
