#include "template/fork_server.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
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
#include "sandbox/enter.h"
#include "sandbox/inherited.h"
#include "sandbox/privileges.h"

namespace mayfly::tmpl {
namespace {

/// Exit codes of a child that could not be set up; the daemon never sees them as a function's own.
constexpr int kSetupFailed = 125;

/// Wakes are for the control socket (token 0) and for children that ended (their pidfds). Not by SIGCHLD: a
/// process with idle threads may have it thrown away by one of them.
constexpr int kMaxEvents = 64;
/// As the first process of a PID namespace it inherits orphans, which have no pidfd here.
constexpr int kOrphanPatience = 5'000;  // ms
/// … between two attempts to end those that fork faster than they are ended; requests are served meanwhile.
constexpr int kFastOrphanPatience = 1;  // ms

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
void place_files(std::vector<Fd> files) {
  for (std::size_t i = 0; i < files.size(); ++i)
    if (::dup2(files[i].get(), wire::kFirstFile + static_cast<int>(i)) < 0) ::_exit(kSetupFailed);
}

/// The descriptors of a request, one after the other.
class Parts {
 public:
  explicit Parts(wire::ControlMessage& request) : fds_(request.fds), parts_(request.value) {}
  [[nodiscard]] bool has(std::uint64_t part) const { return (parts_ & part) != 0; }
  Fd next() {
    if (next_ >= fds_.size()) ::_exit(kSetupFailed);
    return std::move(fds_[next_++]);
  }
  std::vector<Fd> take(std::size_t count) {
    std::vector<Fd> taken;
    for (; count > 0; --count) taken.push_back(next());
    return taken;
  }
  std::vector<Fd> rest() { return take(fds_.size() - next_); }

 private:
  std::vector<Fd>& fds_;
  std::uint64_t parts_;
  std::size_t next_ = 0;
};

/// A child that cannot be what it should ends, and says why where the daemon listens: a template on its
/// control socket, an instance in its log.
[[noreturn]] void give_up(const Error& why, const ForkedChild& child, bool is_template) {
  const auto text = why.message + "\n";
  (void)!::write(2, text.data(), text.size());
  if (is_template)
    (void)wire::send_control(child.channel.get(), wire::ControlType::failed, 0, 0,
                             R"({"kind":"sandbox","message":")" + why.message + "\"}");
  ::_exit(kSetupFailed);
}

/// What a stranger's code may is decided here, before it runs.
void confine(const std::string& payload, Parts& parts, const std::vector<int>& own,
             const ForkedChild& child) {
  Fd temporary = parts.has(wire::fork_part::kTemporary) ? parts.next() : Fd();
  if (parts.has(wire::fork_part::kBox)) {
    const auto box = sandbox::decode_box(payload);
    if (!box || !sandbox::renew_inherited(own)) ::_exit(kSetupFailed);
    auto entered = sandbox::enter(*box, parts.take(box->descriptors.size()));
    if (!entered) give_up(entered.error(), child, box->forks);
  } else if (temporary) {
    auto entered = sandbox::enter_as_instance(std::move(temporary));
    if (!entered) give_up(entered.error(), child, false);
  } else if (!sandbox::drop_privileges()) {
    ::_exit(kSetupFailed);
  }
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
  if (!control_) ::_exit(kSetupFailed);  // a child that the code has made while it was loading
  adopt_orphans();
  own_children_ = children_of_this_process();
  epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
  own_pids_ = Fd(::open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC));
  watch(epoll_.get(), control_.get());
  for (;;) {
    std::array<epoll_event, kMaxEvents> events{};
    const int count = ::epoll_wait(epoll_.get(), events.data(), kMaxEvents, patience());
    if (count < 0 && errno != EINTR) ::_exit(kSetupFailed);
    bool control = false;
    for (int i = 0; i < count; ++i) control |= events[static_cast<std::size_t>(i)].data.fd == control_.get();
    if (!control || count > 1) report_ended_children();
    if (control && serve_one(child)) return child;
    if (orphans_left_) end_orphans();
  }
}

bool ForkServer::serve_one(ForkedChild& child) {
  auto message = wire::receive_control(control_.get());
  if (!message) ::_exit(0);  // the daemon is gone, or wants this process gone
  if (!*message || (*message)->type != wire::ControlType::fork) return false;
  auto& request = **message;
  if (request.fds.size() < 2) return false;

  const pid_t self = ::getpid();
  const pid_t pid = fork_for(request);
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

/// A PID namespace is entered by children alone: this process's next ones are in its own again
/// (pid_namespaces(7)).
pid_t ForkServer::fork_for(const wire::ControlMessage& request) {
  const bool own_pids = (request.value & wire::fork_part::kOwnPids) != 0;
  if (own_pids && ::unshare(CLONE_NEWPID) != 0) return -1;
  const pid_t pid = ::fork();
  if (own_pids && pid != 0 && ::setns(own_pids_.get(), CLONE_NEWPID) != 0) ::_exit(kSetupFailed);
  return pid;
}

void ForkServer::report_ended_children() {
  bool ended = false;
  while (auto reaped = reap_any_child()) {
    const auto found = children_.find(reaped->pid);
    if (found == children_.end()) continue;  // a process that a function started, or an orphan of one
    ended = true;
    const auto cpu = static_cast<std::uint64_t>(reaped->cpu.count());
    (void)wire::send_control(control_.get(), wire::ControlType::exited, found->second.token,
                             static_cast<std::uint64_t>(reaped->wait_status),
                             {reinterpret_cast<const char*>(&cpu), sizeof cpu});
    // Closing it would not: the daemon's copy keeps it in the list, and readable.
    if (found->second.pidfd) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, found->second.pidfd.get(), nullptr);
    children_.erase(found);
  }
  if (ended) end_orphans();
}

/// Until it looks for orphans again though nothing has happened; -1: never.
int ForkServer::patience() const {
  if (orphans_left_) return kFastOrphanPatience;
  return ::getpid() == 1 ? kOrphanPatience : -1;
}

/// What many leave, and make while they are ended, may take seconds: a request does not wait for all of it.
void ForkServer::end_orphans() {
  const auto is_stray = [this](pid_t pid) {
    return !children_.contains(pid) && std::ranges::find(own_children_, pid) == own_children_.end();
  };
  const auto is_wanted = [this] {
    pollfd control{control_.get(), POLLIN, 0};
    return ::poll(&control, 1, 0) > 0;
  };
  orphans_left_ = !end_strays(is_stray, orphans_left_, is_wanted);
}

void ForkServer::become_child(wire::ControlMessage& request, pid_t parent, ForkedChild& child) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have died before the line above. In a PID namespace of its own a parent outside is 0;
  // there the end of the parent's namespace ends this one, too.
  if (::getpid() != 1 && ::getppid() != parent) ::_exit(kSetupFailed);
  adopt_orphans();
  // Signals and priorities of a process group reach all of it, through namespaces: it has one of its own.
  ::setsid();
  control_.reset();
  epoll_.reset();
  own_pids_.reset();
  children_.clear();
  for (auto& fd : request.fds) fd = moved_up(std::move(fd));
  std::vector<int> own;
  for (const auto& fd : request.fds) own.push_back(fd.get());
  Parts parts(request);
  child.channel = parts.next();
  child.log = parts.next();
  // A function that writes to descriptor 1 faster than the daemon reads loses text; it never waits.
  ::fcntl(child.log.get(), F_SETFL, O_NONBLOCK);
  if (::dup2(child.log.get(), 1) < 0 || ::dup2(child.log.get(), 2) < 0) ::_exit(kSetupFailed);
  Fd document = parts.has(wire::fork_part::kDocument) ? parts.next() : Fd();
  confine(request.payload, parts, own, child);
  if (parts.has(wire::fork_part::kOffers)) child.offers = parts.next();
  place_files(parts.rest());
  child.payload = document ? take_document(document) : std::move(request.payload);
}

}  // namespace mayfly::tmpl
