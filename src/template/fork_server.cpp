#include "template/fork_server.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "base/memory_file.h"
#include "base/reap.h"

namespace mayfly::tmpl {
namespace {

/// Exit codes of a child that could not be set up; the daemon never sees them as a function's own.
constexpr int kSetupFailed = 125;

/// Wakes are for the control socket (token 0) and for children that ended (their pidfds). Not by SIGCHLD: a
/// process with idle threads may have it thrown away by one of them.
constexpr int kMaxEvents = 64;
/// As the first process of a PID namespace it inherits orphans, which have no pidfd here.
constexpr int kOrphanPatience = 5'000;  // ms

/// Out of the way of the numbers that a child's files get.
Fd moved_up(Fd fd) {
  constexpr int kAbove = wire::kFirstFile + static_cast<int>(wire::kMaxFiles);
  if (fd.get() < wire::kFirstFile || fd.get() >= kAbove) return fd;
  Fd moved(::fcntl(fd.get(), F_DUPFD_CLOEXEC, kAbove));
  if (!moved) ::_exit(kSetupFailed);
  return moved;
}

/// What came in a file is read here, in the child: the parent, and what it forks later, never had it in
/// memory.
std::string take_document(Fd& document) {
  auto read = read_all(document.get());
  if (!read) ::_exit(kSetupFailed);
  document.reset();
  return std::move(*read);
}

/// Gives the child's files their numbers; without close-on-exec.
void place_files(std::vector<Fd>& fds) {
  for (std::size_t i = 3; i < fds.size(); ++i)
    if (::dup2(fds[i].get(), wire::kFirstFile + static_cast<int>(i - 3)) < 0) ::_exit(kSetupFailed);
  fds.resize(std::min<std::size_t>(fds.size(), 3));
}

void watch(int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

}  // namespace

Result<void> ForkServer::report(wire::ControlType type, std::string_view json) {
  return wire::send_control(control_.get(), type, 0, 0, json);
}

ForkedChild ForkServer::run() {
  ForkedChild child;
  adopt_orphans();
  own_children_ = children_of_this_process();
  epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
  watch(epoll_.get(), control_.get());
  const int patience = ::getpid() == 1 ? kOrphanPatience : -1;
  for (;;) {
    std::array<epoll_event, kMaxEvents> events{};
    const int count = ::epoll_wait(epoll_.get(), events.data(), kMaxEvents, patience);
    if (count < 0 && errno != EINTR) ::_exit(kSetupFailed);
    bool control = false;
    for (int i = 0; i < count; ++i) control |= events[static_cast<std::size_t>(i)].data.fd == control_.get();
    if (!control || count > 1) report_ended_children();
    if (control && serve_one(child)) return child;
  }
}

bool ForkServer::serve_one(ForkedChild& child) {
  auto message = wire::receive_control(control_.get());
  if (!message) ::_exit(0);  // the daemon is gone, or wants this process gone
  if (!*message || (*message)->type != wire::ControlType::fork) return false;
  auto& request = **message;
  if (request.fds.size() < 2) return false;

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
  Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (pidfd) watch(epoll_.get(), pidfd.get());
  if (pidfd)
    (void)wire::send_control(control_.get(), wire::ControlType::forked, request.token,
                             static_cast<std::uint64_t>(pid), {}, {pidfd.get()});
  else
    (void)wire::send_control(control_.get(), wire::ControlType::forked, request.token,
                             static_cast<std::uint64_t>(pid), {});
  children_.emplace(pid, Running{request.token, std::move(pidfd)});
  return false;
}

void ForkServer::report_ended_children() {
  bool ended = false;
  while (auto reaped = reap_any_child()) {
    const auto found = children_.find(reaped->pid);
    if (found == children_.end()) continue;  // a process that a function started, or an orphan of one
    ended = true;
    (void)wire::send_control(control_.get(), wire::ControlType::exited, found->second.token,
                             static_cast<std::uint64_t>(reaped->wait_status), {});
    // Closing it would not: the daemon's copy keeps it in the list, and readable.
    if (found->second.pidfd) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, found->second.pidfd.get(), nullptr);
    children_.erase(found);
  }
  if (ended) end_orphans();
}

void ForkServer::end_orphans() {
  end_strays([this](pid_t pid) {
    return !children_.contains(pid) && std::ranges::find(own_children_, pid) == own_children_.end();
  });
}

void ForkServer::become_child(wire::ControlMessage& request, pid_t parent, ForkedChild& child) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have died before the line above. In a PID namespace of its own a parent outside is 0.
  if (::getppid() != parent) ::_exit(kSetupFailed);
  control_.reset();
  epoll_.reset();
  children_.clear();
  for (auto& fd : request.fds) fd = moved_up(std::move(fd));
  if ((request.value & wire::kOffers) != 0 && request.fds.size() > 2) {
    child.offers = std::move(request.fds.back());
    request.fds.pop_back();
  }
  place_files(request.fds);
  child.payload = request.fds.size() > 2 ? take_document(request.fds[2]) : std::move(request.payload);
  child.channel = std::move(request.fds[0]);
  child.log = std::move(request.fds[1]);
  // A function that writes to descriptor 1 faster than the daemon reads loses text; it never waits.
  ::fcntl(child.log.get(), F_SETFL, O_NONBLOCK);
  if (::dup2(child.log.get(), 1) < 0 || ::dup2(child.log.get(), 2) < 0) ::_exit(kSetupFailed);
}

}  // namespace mayfly::tmpl
