#include "template/fork_server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "base/reap.h"

namespace mayfly::tmpl {
namespace {

/// Exit codes of a child that could not be set up; the daemon never sees them as a function's own.
constexpr int kSetupFailed = 125;

/// Blocks SIGCHLD for its lifetime, so that ended children are read from a signalfd.
class ChildSignalsBlocked {
 public:
  ChildSignalsBlocked() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    ::sigprocmask(SIG_BLOCK, &set, &before_);
    fd_ = Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  }
  ChildSignalsBlocked(const ChildSignalsBlocked&) = delete;
  ChildSignalsBlocked& operator=(const ChildSignalsBlocked&) = delete;
  ~ChildSignalsBlocked() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  sigset_t before_{};
  Fd fd_;
};

void drain(int signal_fd) {
  std::array<signalfd_siginfo, 16> infos;
  while (::read(signal_fd, infos.data(), sizeof infos) > 0) {
  }
}

}  // namespace

Result<void> ForkServer::report(wire::ControlType type, std::string_view json) {
  return wire::send_control(control_.get(), type, 0, 0, json);
}

ForkedChild ForkServer::run() {
  ForkedChild child;
  const ChildSignalsBlocked signals;
  for (;;) {
    std::array<pollfd, 2> ready{pollfd{control_.get(), POLLIN, 0}, pollfd{signals.fd(), POLLIN, 0}};
    if (::poll(ready.data(), ready.size(), -1) < 0 && errno != EINTR) ::_exit(kSetupFailed);
    if (ready[1].revents != 0) {
      drain(signals.fd());
      report_ended_children();
    }
    if (ready[0].revents != 0 && serve_one(child)) return child;
  }
}

bool ForkServer::serve_one(ForkedChild& child) {
  auto message = wire::receive_control(control_.get());
  if (!message) ::_exit(0);  // the daemon is gone, or wants this process gone
  if (!*message || (*message)->type != wire::ControlType::fork) return false;
  auto& request = **message;
  if (request.fds.size() != 2) return false;

  const pid_t self = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) {
    become_child(request, self, child);
    return true;
  }
  // The daemon may be slow or gone: neither is this process's failure, and recv will tell which.
  if (pid < 0) {
    (void)wire::send_control(control_.get(), wire::ControlType::fork_failed, request.token,
                             static_cast<std::uint64_t>(errno), "fork");
    return false;
  }
  children_.emplace(pid, request.token);
  const Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (pidfd)
    (void)wire::send_control(control_.get(), wire::ControlType::forked, request.token,
                             static_cast<std::uint64_t>(pid), {}, {pidfd.get()});
  else
    (void)wire::send_control(control_.get(), wire::ControlType::forked, request.token,
                             static_cast<std::uint64_t>(pid), {});
  return false;
}

void ForkServer::report_ended_children() {
  while (auto reaped = reap_any_child()) {
    const auto found = children_.find(reaped->pid);
    if (found == children_.end()) continue;  // a process that a function started, or an orphan of one
    (void)wire::send_control(control_.get(), wire::ControlType::exited, found->second,
                             static_cast<std::uint64_t>(reaped->wait_status), {});
    children_.erase(found);
  }
}

void ForkServer::become_child(wire::ControlMessage& request, pid_t parent, ForkedChild& child) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have died before the line above. In a PID namespace of its own a parent outside is 0.
  if (::getppid() != parent) ::_exit(kSetupFailed);
  control_.reset();
  children_.clear();
  child.payload = std::move(request.payload);
  child.channel = std::move(request.fds[0]);
  child.log = std::move(request.fds[1]);
  // A function that writes to descriptor 1 faster than the daemon reads loses text; it never waits.
  ::fcntl(child.log.get(), F_SETFL, O_NONBLOCK);
  if (::dup2(child.log.get(), 1) < 0 || ::dup2(child.log.get(), 2) < 0) ::_exit(kSetupFailed);
}

}  // namespace mayfly::tmpl
