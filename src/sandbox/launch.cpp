#include "sandbox/launch.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <string_view>

#include "base/raw_child.h"

namespace mayfly::sandbox {
namespace {

/// Everything the child needs, made before the clone: after it only async-signal-safe calls are allowed.
struct Prepared {
  std::vector<char*> argv;
  std::vector<char*> environment;
};

/// The end of a child that could not begin: its last words go where the daemon reads its output.
[[noreturn]] void give_up(int output, int status, std::string_view words) {
  (void)!::write(output, words.data(), words.size());
  ::_exit(status);
}

/// Nothing that is mounted here may reach the host. In a chroot "/" is mostly no mount point, and then
/// /proc, which is all that will be mounted over, is cut off alone.
bool detach_mounts() {
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0) return true;
  return ::mount(nullptr, "/proc", nullptr, MS_PRIVATE, nullptr) == 0;
}

[[noreturn]] void child_main(const LaunchOptions& options, Prepared& prepared, std::uint64_t namespaces) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if ((namespaces & CLONE_NEWNS) != 0) {
    // /proc must show the processes of the new PID namespace.
    if (!detach_mounts())
      give_up(options.output, 125, "cannot make mounts private: neither / nor /proc is a mount point");
    (void)::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr);
  }
  // Lift both out of the way of the numbers they are to have.
  const int control = ::fcntl(options.control, F_DUPFD, 10);
  const int output = ::fcntl(options.output, F_DUPFD, 10);
  const int null = ::open("/dev/null", O_RDONLY);
  ::dup2(null, 0);
  ::dup2(output, 1);
  ::dup2(output, 2);
  ::dup2(control, kControlFd);
  ::syscall(SYS_close_range, kControlFd + 1, ~0U, 0);
  ::setsid();
  ::execve(prepared.argv[0], prepared.argv.data(), prepared.environment.data());
  give_up(1, 127, "cannot execute it");
}

Result<Launched> try_launch(const LaunchOptions& options, std::uint64_t namespaces) {
  Prepared prepared;
  prepared.argv = c_strings(options.argv);
  prepared.environment = c_strings(options.environment);

  int pidfd = -1;
  clone_args args{};
  args.flags = CLONE_PIDFD | namespaces;
  args.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  args.exit_signal = SIGCHLD;
  const auto pid = static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof args));
  if (pid < 0) return fail_errno("clone3");
  if (pid == 0) child_main(options, prepared, namespaces);
  return Launched{pid, Fd(pidfd), (namespaces & CLONE_NEWPID) != 0};
}

}  // namespace

Result<Launched> launch(const LaunchOptions& options) {
  if (auto launched = try_launch(options, CLONE_NEWPID | CLONE_NEWNS)) return launched;
  return try_launch(options, 0);
}

}  // namespace mayfly::sandbox
