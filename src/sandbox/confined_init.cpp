#include "sandbox/confined_init.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/raw_child.h"
#include "base/reap.h"
#include "sandbox/forbidden_calls.h"
#include "sandbox/loopback.h"
#include "sandbox/privileges.h"
#include "sandbox/user_namespace.h"

namespace mayfly::sandbox {
namespace {

constexpr std::size_t kOwnDescriptors = 5;

std::vector<std::string> candidates_of(const ConfinedCommand& command) {
  const auto& name = command.argv.front();
  if (name.contains('/')) return {name};
  std::string_view path = "/usr/local/bin:/usr/bin:/bin";
  for (const std::string_view variable : command.environment)
    if (variable.starts_with("PATH=")) path = variable.substr(5);
  std::vector<std::string> candidates;
  while (!path.empty()) {
    const auto folder = path.substr(0, path.find(':'));
    if (!folder.empty()) candidates.push_back(std::string(folder) + "/" + name);
    path.remove_prefix(std::min(path.size(), folder.size() + 1));
  }
  return candidates;
}

bool limit(int resource, std::uint64_t value) noexcept {
  const rlimit both{value, value};
  if (::setrlimit(static_cast<__rlimit_resource>(resource), &both) == 0) return true;
  return errno == EPERM;  // a lower hard limit is there already
}

}  // namespace

ConfinedInit::ConfinedInit(const ConfinedCommand& command, const BuildUser& user, std::uint64_t namespaces)
    : command_(command),
      user_(user.id()),
      other_user_(user.other()),
      namespaces_(namespaces),
      mounts_(MountPlan::make(command, user.other())),
      candidates_(candidates_of(command)),
      argv_(c_strings(command.argv)),
      environment_(c_strings(command.environment)),
      null_(::open("/dev/null", O_RDONLY | O_CLOEXEC)),
      kept_(command.groups) {
  kept_.resize(command.groups.size() + kOwnDescriptors);
}

void ConfinedInit::main() noexcept {
  close_others();
  char byte = 0;
  if (::read(go, &byte, 1) != 1) ::_exit(125);
  ::setsid();
  join_groups();
  const bool mounts = (namespaces_ & CLONE_NEWNS) != 0;
  if (mounts)
    if (const char* step = mounts_.clone_trees()) fail(step);
  if (other_user_) become_user();
  end_with_parent();
  if (mounts)
    if (const char* step = mounts_.apply(own_proc_)) fail(step);
  if ((namespaces_ & CLONE_NEWNET) != 0) start_loopback();
  if ((namespaces_ & CLONE_NEWUTS) != 0) ::sethostname("build", 5);
  set_limits();
  if (!drop_privileges()) fail("drop privileges");
  ::prctl(PR_SET_DUMPABLE, 0);  // the command may be the same user, and is not to trace this process
  const auto pid = static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
  if (pid < 0) fail("fork");
  if (pid == 0) execute();
  ::close(output);
  const int status = reap_until(pid);
  send(InitReport::What::ended, status);
  ::_exit(0);
}

void ConfinedInit::send(InitReport::What what, int value, const char* step) noexcept {
  InitReport text{what, value, own_proc_};
  std::strncpy(text.step.data(), step, text.step.size() - 1);
  (void)!::write(report, &text, sizeof text);
}

/// Whatever else the daemon has open: its end would not be noticed as long as this process had it, too.
void ConfinedInit::close_others() noexcept {
  const std::array<int, kOwnDescriptors> own{go, output, report, filter, null_.get()};
  std::ranges::copy(own, kept_.end() - kOwnDescriptors);
  std::ranges::sort(kept_);
  unsigned first = 0;
  for (const int fd : kept_) {
    if (std::cmp_greater(fd, first)) ::syscall(SYS_close_range, first, fd - 1, 0);
    first = static_cast<unsigned>(fd) + 1;
  }
  ::syscall(SYS_close_range, first, ~0U, 0);
}

/// As the daemon's user, who may.
void ConfinedInit::join_groups() noexcept {
  for (const int group : command_.groups)
    if (::write(group, "0", 1) != 1) fail("join a cgroup");
}

void ConfinedInit::fail(const char* step) noexcept {
  send(InitReport::What::step_failed, errno, step);
  ::_exit(125);
}

/// Rights are kept until everything is mounted.
void ConfinedInit::become_user() noexcept {
  if (!sandbox::become_user(user_)) fail("change the user");
}

/// Not before the user has changed: that clears the signal.
void ConfinedInit::end_with_parent() noexcept {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  pollfd reader{report, 0, 0};
  if (::poll(&reader, 1, 0) != 0) ::_exit(125);  // the parent ended before the line above
}

void ConfinedInit::set_limits() noexcept {
  // Where the command shares its user with the daemon, the processes of both would be counted.
  const bool counted_alone = other_user_ || (namespaces_ & CLONE_NEWUSER) != 0;
  if (!limit(RLIMIT_FSIZE, command_.max_file) ||
      (counted_alone && !limit(RLIMIT_NPROC, command_.max_processes)) ||
      (command_.max_memory != 0 && !limit(RLIMIT_DATA, command_.max_memory)))
    fail("set limits");
  // Requests come before builds, and when memory is short a build is what ends.
  if (command_.background) ::setpriority(PRIO_PROCESS, 0, 10);
  const Fd score(::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  (void)!::write(score.get(), "500", 3);
}

void ConfinedInit::execute() noexcept {
  ::umask(0022);
  ::dup2(null_.get(), 0);
  ::dup2(output, 1);
  ::dup2(output, 2);
  ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
  int error = 0;
  if (::chdir(command_.folder.c_str()) != 0) error = errno;
  reset_signals();
  if (filter >= 0)
    if (const char* step = install_filter(filter)) fail(step);
  if (error == 0) {
    error = ENOENT;
    for (const auto& candidate : candidates_) {
      ::execve(candidate.c_str(), argv_.data(), environment_.data());
      if (errno != ENOENT && errno != ENOTDIR) error = errno;
    }
  }
  send(InitReport::What::not_executed, error);
  ::_exit(127);
}

}  // namespace mayfly::sandbox
