#include "base/reap.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <string>
#include <string_view>

#include "base/descendants.h"
#include "base/proc.h"

namespace mayfly {
namespace {

std::chrono::nanoseconds time_of(const timeval& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

}  // namespace

std::optional<Reaped> reap_any_child() {
  for (;;) {
    Reaped reaped;
    rusage used{};
    reaped.pid = ::wait4(-1, &reaped.wait_status, WNOHANG, &used);
    if (reaped.pid > 0) {
      reaped.cpu = time_of(used.ru_utime) + time_of(used.ru_stime);
      return reaped;
    }
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

namespace {

/// The line "Pid:" of a descriptor's fdinfo (proc_pid_fdinfo(5)); empty: it is none of a process.
std::string_view pid_line(int pidfd, ProcBuffer& buffer) {
  auto info = read_proc("/proc/self/fdinfo/" + std::to_string(pidfd), buffer);
  constexpr std::string_view kLine = "\nPid:\t";
  const auto at = info.find(kLine);
  return at == std::string_view::npos ? std::string_view() : info.substr(at + kLine.size());
}

/// Other descriptors may have such a line, or a name like it: a file in memory has the one that it was given.
/// Before Linux 6.9, and since.
bool is_pidfd(int fd) {
  std::array<char, 64> target{};
  const auto path = "/proc/self/fd/" + std::to_string(fd);
  if (::readlink(path.c_str(), target.data(), target.size() - 1) <= 0) return false;
  const std::string_view link(target.data());
  return link == "anon_inode:[pidfd]" || link.starts_with("pidfd:[");
}

}  // namespace

pid_t pid_of(int pidfd) {
  ProcBuffer buffer;
  auto line = pid_line(pidfd, buffer);
  return line.starts_with('-') ? 0 : static_cast<pid_t>(take_number(line).value_or(0));
}

std::optional<pid_t> parent_of(int pidfd) {
  if (!is_pidfd(pidfd)) return std::nullopt;
  ProcBuffer buffer;
  const pid_t pid = pid_of(pidfd);
  const auto stat = pid > 0 ? stat_of(pid) : std::nullopt;
  // Its number means it as long as it is not reaped.
  if (stat && pid_of(pidfd) == pid) return stat->parent == 0 ? std::nullopt : std::optional(stat->parent);
  return pid_line(pidfd, buffer).starts_with('-') ? std::optional<pid_t>(0) : std::nullopt;
}

void adopt_orphans() { ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }

std::vector<pid_t> children_of_this_process() {
  std::vector<pid_t> children;
  append_children("/proc/self/task/" + std::to_string(::getpid()) + "/children", children);
  return children;
}

std::size_t running_children() {
  std::size_t running = 0;
  for (const pid_t child : children_of_this_process()) {
    siginfo_t info{};
    const bool ended = ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
                       info.si_pid != 0;
    if (!ended) ++running;
  }
  return running;
}

void reap_strays(const std::function<bool(pid_t)>& is_stray) {
  for (const pid_t pid : children_of_this_process())
    if (is_stray(pid)) ::waitpid(pid, nullptr, WNOHANG);
}

namespace {

using IsStray = std::function<bool(pid_t)>;

/// True: there was nothing left to end.
bool end_generation(const IsStray& is_stray, bool stop_first) {
  std::vector<KnownProcess> strays;
  for (const pid_t pid : children_of_this_process())
    if (const auto stray = is_stray(pid) ? known_process(pid) : std::nullopt) strays.push_back(*stray);
  if (strays.empty()) return true;
  if (stop_first)
    for (const auto& process : stop_with_descendants(strays)) (void)send_signal(process, SIGKILL);
  // Children of this process that are not reaped keep their numbers.
  for (const auto& stray : strays) ::kill(stray.pid, SIGKILL);
  for (const auto& stray : strays) (void)reap_child(stray.pid);
  return false;
}

}  // namespace

bool end_strays(const IsStray& is_stray, bool again, const std::function<bool()>& is_wanted) {
  constexpr int kPatience = 2'000;  // generations: this process has other things to do
  for (int generation = 0; generation < kPatience; ++generation) {
    if (end_generation(is_stray, again || generation > 0)) return true;
    if (is_wanted && is_wanted()) return false;
  }
  return false;
}

}  // namespace mayfly
