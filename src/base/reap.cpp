#include "base/reap.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "base/fd.h"
#include "base/proc.h"

namespace mayfly {

std::optional<Reaped> reap_any_child() {
  for (;;) {
    Reaped reaped;
    reaped.pid = ::waitpid(-1, &reaped.wait_status, WNOHANG);
    if (reaped.pid > 0) return reaped;
    if (reaped.pid < 0 && errno == EINTR) continue;
    return std::nullopt;
  }
}

std::optional<int> wait_for_exit(int pidfd) {
  siginfo_t info{};
  while (::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd), &info, WEXITED) != 0)
    if (errno != EINTR) return std::nullopt;
  return info.si_code == CLD_EXITED ? W_EXITCODE(info.si_status, 0) : W_EXITCODE(0, info.si_status);
}

int reap_until(pid_t pid) {
  for (;;) {
    int status = 0;
    const pid_t ended = ::waitpid(-1, &status, 0);
    if (ended == pid || (ended < 0 && errno != EINTR)) return status;
  }
}

int reap_child(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

void end_child(pid_t child) {
  ::kill(child, SIGKILL);
  (void)reap_child(child);
}

void kill_group(pid_t leader) { ::kill(-leader, SIGKILL); }

void kill_all_of_user(uid_t user) {
  // A process of that user may signal no others. The system calls themselves: the C library would change the
  // user of all threads that it remembers, and the new process has none of them.
  const auto pid = static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
  if (pid == 0) {
    if (::syscall(SYS_setresuid, user, user, user) == 0) ::kill(-1, SIGKILL);
    ::_exit(0);
  }
  while (pid > 0 && ::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void kill_process(int pidfd) { ::syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0); }

void kill_pid(pid_t pid) {
  if (pid > 0) ::kill(pid, SIGKILL);
}

pid_t pid_of(int pidfd) {
  ProcBuffer buffer;
  auto info = read_proc("/proc/self/fdinfo/" + std::to_string(pidfd), buffer);
  constexpr std::string_view kLine = "\nPid:\t";
  const auto at = info.find(kLine);
  if (at == std::string_view::npos) return 0;
  info.remove_prefix(at + kLine.size());
  return info.starts_with('-') ? 0 : static_cast<pid_t>(take_number(info).value_or(0));
}

/// Anything else would be taken for a process that has ended.
static bool is_pidfd(int fd) {
  std::array<char, 64> target{};
  const auto path = "/proc/self/fd/" + std::to_string(fd);
  return ::readlink(path.c_str(), target.data(), target.size() - 1) > 0 &&
         std::string_view(target.data()).find("pidfd") != std::string_view::npos;
}

std::optional<pid_t> parent_of(int pidfd) {
  const pid_t pid = pid_of(pidfd);
  const auto stat = pid > 0 ? stat_of(pid) : std::nullopt;
  // Its number means it as long as it is not reaped.
  if (stat && pid_of(pidfd) == pid) return stat->parent;
  return is_pidfd(pidfd) ? std::optional<pid_t>(0) : std::nullopt;
}

void adopt_orphans() { ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }

namespace {

/// Adds the numbers in a list of children of a task, as /proc has them.
void append_children(const std::string& path, std::vector<pid_t>& children) {
  // Asked for at the end of every instance: without a stream, which would cost more than the kernel's part.
  const Fd list(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  pid_t pid = 0;
  std::array<char, 4096> part;
  for (ssize_t got = 0; list && (got = ::read(list.get(), part.data(), part.size())) > 0;) {
    for (const char c : std::string_view(part.data(), static_cast<std::size_t>(got))) {
      if (c >= '0' && c <= '9') {
        pid = pid * 10 + (c - '0');
      } else if (pid != 0) {
        children.push_back(std::exchange(pid, 0));
      }
    }
  }
  if (pid != 0) children.push_back(pid);
}

}  // namespace

std::vector<pid_t> children_of_this_process() {
  std::vector<pid_t> children;
  append_children("/proc/self/task/" + std::to_string(::getpid()) + "/children", children);
  return children;
}

void reap_strays(const std::function<bool(pid_t)>& is_stray) {
  for (const pid_t pid : children_of_this_process())
    if (is_stray(pid)) ::waitpid(pid, nullptr, WNOHANG);
}

namespace {

using IsStray = std::function<bool(pid_t)>;

/// What is below some processes, these included; a parent comes before its children. Each is stopped before
/// its children are looked for: nobody can be missing that it has made already.
std::vector<pid_t> stop_all(std::vector<pid_t> tree) {
  for (std::size_t i = 0; i < tree.size(); ++i) {
    ::kill(tree[i], SIGSTOP);
    const auto tasks = "/proc/" + std::to_string(tree[i]) + "/task";
    std::error_code error;
    for (std::filesystem::directory_iterator task(tasks, error), end; !error && task != end;
         task.increment(error))
      append_children(task->path() / "children", tree);
  }
  return tree;
}

/// It has its signal and did not come to stop yet: it may be in the middle of a fork, and where hundreds want
/// the processor it may stay there for long.
bool is_still_running(pid_t pid) {
  const auto stat = stat_of(pid);
  return stat && stat->state == 'R';
}

/// The same, again and again until all have stopped and no new ones come. Within reason: what waits in the
/// kernel is not waited for.
std::vector<pid_t> stop_until_all(const std::vector<pid_t>& roots) {
  constexpr int kPatience = 1'000;
  constexpr timespec kPause{0, 2'000'000};
  std::vector<pid_t> all = stop_all(roots);
  for (int i = 0; i < kPatience; ++i) {
    const bool running = std::ranges::any_of(all, is_still_running);
    if (running) ::nanosleep(&kPause, nullptr);
    const auto known = std::exchange(all, stop_all(roots)).size();
    if (!running && all.size() <= known) break;
  }
  return all;
}

/// True: there was nothing left to end.
bool end_generation(const IsStray& is_stray, bool stop_first) {
  std::vector<pid_t> strays;
  for (const pid_t pid : children_of_this_process())
    if (is_stray(pid)) strays.push_back(pid);
  if (strays.empty()) return true;
  const auto all = stop_first ? stop_until_all(strays) : strays;
  // Children of this process that are not reaped keep their numbers, and so do those of stopped ones.
  for (const pid_t pid : all) ::kill(pid, SIGKILL);
  for (const pid_t pid : strays) (void)reap_child(pid);
  return false;
}

}  // namespace

void end_descendants(pid_t root) {
  if (root <= 0) return;
  for (const pid_t pid : stop_until_all({root}))
    if (pid != root) ::kill(pid, SIGKILL);
}

bool end_strays(const IsStray& is_stray) {
  constexpr int kPatience = 2'000;  // generations: this process has other things to do
  for (int generation = 0; generation < kPatience; ++generation)
    if (end_generation(is_stray, generation > 0)) return true;
  return false;
}

}  // namespace mayfly
