#include "sandbox/confined.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <mutex>
#include <optional>

#include "base/pipe.h"
#include "base/raw_child.h"
#include "base/reap.h"
#include "sandbox/build_user.h"
#include "sandbox/confined_init.h"
#include "sandbox/forbidden_calls.h"
#include "sandbox/syscall_filter.h"

namespace mayfly::sandbox {
namespace {

constexpr std::size_t kTail = 16U << 10U;

/// Made once it can be; -1 where the kernel has no filters.
Result<int> build_filter() {
  static std::mutex mutex;
  static Fd filter;
  const std::lock_guard lock(mutex);
  if (!has_filters() || filter) return filter.get();
  auto made = make_filter(Forbidden::refused);
  if (!made) return std::unexpected(made.error());
  filter = std::move(*made);
  return filter.get();
}

/// Gives the user of the command a number in its user namespace: the one that it has outside.
void map_user(pid_t pid, const BuildUser& user) {
  const auto folder = "/proc/" + std::to_string(pid) + "/";
  const auto write = [&](const char* name, const std::string& text) {
    const Fd fd(::open((folder + name).c_str(), O_WRONLY | O_CLOEXEC));
    if (fd) (void)!::write(fd.get(), text.data(), text.size());
  };
  const auto map = [](auto id) { return std::to_string(id) + " " + std::to_string(id) + " 1"; };
  if (!user.other()) write("setgroups", "deny");  // who is not privileged may map no group without this
  write("uid_map", map(user.id()));
  write("gid_map", map(user.other() ? user.id() : ::getegid()));
}

/// Reads what the command prints until its init has ended; ends it at the limit.
class Follower {
 public:
  Follower(const ConfinedCommand& command, Fd output, ConfinedResult& result)
      : command_(command), output_(std::move(output)), result_(result) {
    ::fcntl(output_.get(), F_SETFL, O_NONBLOCK);
  }

  /// `group`: of a command without a PID namespace.
  void follow(int pidfd, pid_t group) {
    const auto deadline = std::chrono::steady_clock::now() + command_.limit;
    const std::stop_callback end(command_.stop, [pidfd] { kill_process(pidfd); });
    for (;;) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      if (left.count() <= 0) {
        result_.timed_out = true;
        kill_process(pidfd);
        break;
      }
      if (disk_is_full()) {
        result_.disk_full = true;
        kill_process(pidfd);
        break;
      }
      std::array<pollfd, 2> items{pollfd{pidfd, POLLIN, 0}, pollfd{output_.get(), POLLIN, 0}};
      const std::int64_t pause = command_.min_free > 0 ? kDiskPause : 60'000;
      ::poll(items.data(), items.size(), static_cast<int>(std::min<std::int64_t>(left.count(), pause)));
      drain();
      if (items[0].revents != 0) break;
    }
    if (group != 0) kill_group(group);
    (void)wait_for_exit(pidfd);
    drain();
    result_.tail = std::move(text_);
    if (result_.tail.size() > kTail) result_.tail.erase(0, result_.tail.size() - kTail);
  }

 private:
  static constexpr std::int64_t kDiskPause = 500;  ///< ms between two looks

  /// By bytes or by files: without a file to be made the daemon can keep nothing either.
  [[nodiscard]] bool disk_is_full() const {
    constexpr fsfilcnt_t kLeastFiles = 10'000;
    if (command_.min_free == 0) return false;
    for (const auto* folders : {&command_.writable, &command_.caches})
      for (const auto& folder : *folders) {
        struct statvfs disk{};
        if (::statvfs(folder.c_str(), &disk) != 0) continue;
        if (disk.f_bavail * disk.f_frsize < command_.min_free) return true;
        if (disk.f_files > 0 && disk.f_favail < kLeastFiles) return true;
      }
    return false;
  }

  /// What is there, but a bounded amount: one that prints for ever must meet its limit.
  void drain() {
    std::array<char, 65536> buffer;
    for (int reads = 0; output_ && reads < 16;) {
      const ssize_t got = ::read(output_.get(), buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EAGAIN) return;
      if (got <= 0) return output_.reset();
      ++reads;
      const std::string_view piece(buffer.data(), static_cast<std::size_t>(got));
      if (command_.output) command_.output(piece);
      text_.append(piece);
      if (text_.size() > 4 * kTail) text_.erase(0, text_.size() - kTail);
    }
  }

  const ConfinedCommand& command_;
  Fd output_;
  ConfinedResult& result_;
  std::string text_;
};

/// One way of starting it. A failed set-up (the name of its step is in the error) has run nothing of the
/// command, and another way can be tried.
Result<ConfinedResult> attempt(const ConfinedCommand& command, const BuildUser& user,
                               std::uint64_t namespaces, bool& set_up) {
  set_up = false;
  auto go = make_pipe();
  auto output = make_pipe();
  auto report = make_pipe();
  if (!go || !output || !report) return fail_errno("pipe");
  const auto filter = build_filter();
  if (!filter) return std::unexpected(filter.error());
  ConfinedInit init(command, user, namespaces);
  init.go = go->read.get();
  init.output = output->write.get();
  init.report = report->write.get();
  init.filter = *filter;

  int pidfd = -1;
  clone_args args{};
  args.flags = CLONE_PIDFD | namespaces;
  args.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  args.exit_signal = SIGCHLD;
  pid_t pid = 0;
  {
    const SignalsBlocked blocked;
    pid = static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof args));
    if (pid == 0) init.main();
  }
  if (pid < 0) return fail_errno("clone3");
  const Fd owned(pidfd);
  if ((namespaces & CLONE_NEWUSER) != 0) map_user(pid, user);
  output->write.reset();
  report->write.reset();
  (void)!::write(go->write.get(), "g", 1);

  ConfinedResult result;
  const bool plain = (namespaces & CLONE_NEWPID) == 0;
  Follower(command, std::move(output->read), result).follow(owned.get(), plain ? pid : 0);
  if (plain && user.exclusive()) kill_all_of_user(user.id());
  InitReport last{.value = SIGKILL};  // if it was killed before it could say more
  if (::read(report->read.get(), &last, sizeof last) == sizeof last &&
      last.what == InitReport::What::step_failed)
    return fail_errno(last.step.data(), last.value);
  set_up = true;
  if (last.what == InitReport::What::not_executed)
    return fail_errno("execute '" + command.argv.front() + "'", last.value);
  result.status = WIFEXITED(last.value) ? ExitStatus{ExitStatus::How::exited, WEXITSTATUS(last.value), false}
                                        : ExitStatus{ExitStatus::How::signalled, WTERMSIG(last.value), false};
  if (*filter < 0) result.degraded.emplace_back("the kernel has no filter of system calls for it");
  if (!plain && !last.own_proc) result.degraded.emplace_back("it saw the host's /proc");
  return result;
}

Result<ConfinedResult> attempt_all(const ConfinedCommand& command, const BuildUser& user) {
  const std::uint64_t namespaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
                                   (command.network ? 0ULL : std::uint64_t{CLONE_NEWNET});
  std::string why;
  for (const std::uint64_t flags : {namespaces, namespaces | CLONE_NEWUSER}) {
    bool set_up = false;
    auto result = attempt(command, user, flags, set_up);
    if (result || set_up) return result;
    why = result.error().message;
  }
  bool set_up = false;
  auto result = attempt(command, user, 0, set_up);
  if (!result) {
    result.error().message += " (without namespaces: " + why + ")";
    return result;
  }
  result->degraded.push_back("no namespaces (" + why +
                             "): it could read and write what its user can, and see other processes");
  if (!command.network) result->degraded.emplace_back("its network was not cut off");
  if (!user.exclusive()) result->degraded.emplace_back("what it left running in the background still runs");
  return result;
}

}  // namespace

Result<ConfinedResult> run_confined(const ConfinedCommand& command) {
  if (command.argv.empty()) return fail_errno("start a command without argv", EINVAL);
  auto user = command.caches.empty() ? BuildUser::take() : BuildUser::of_caches();
  if (!user) return propagate(user);
  for (const auto& folders : {command.writable, command.caches})
    for (const auto& folder : folders)
      if (auto given = user->give(folder); !given) return propagate(given);
  auto result = attempt_all(command, *user);
  for (const auto& folder : command.writable)
    if (auto taken = user->take_back(folder); !taken && result) result = propagate(taken);
  return result;
}

}  // namespace mayfly::sandbox
