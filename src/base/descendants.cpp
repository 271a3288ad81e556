#include "base/descendants.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <string>
#include <utility>

#include "base/fd.h"
#include "base/proc.h"
#include "base/reap.h"

namespace mayfly {
namespace {

/// Its pidfd, as long as it is not reaped; else an empty one. First the descriptor, then the look whose
/// number it is: of an earlier owner of the number it would be the descriptor of nobody.
Fd open_process(const KnownProcess& process) {
  Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
  const auto stat = pidfd ? stat_of(process.pid) : std::nullopt;
  if (!stat || stat->started != process.started) pidfd.reset();
  return pidfd;
}

bool send_signal(const Fd& pidfd, int signal) {
  return ::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0) == 0;
}

/// Stops one and adds its children to a list.
void stop(const KnownProcess& process, std::vector<KnownProcess>& list) {
  const Fd pidfd = open_process(process);
  if (!pidfd || !send_signal(pidfd, SIGSTOP)) return;
  std::vector<pid_t> children;
  const auto tasks = "/proc/" + std::to_string(process.pid) + "/task";
  std::error_code error;
  for (std::filesystem::directory_iterator task(tasks, error), end; !error && task != end;
       task.increment(error))
    append_children(task->path() / "children", children);
  const auto before = list.size();
  for (const pid_t child : children)
    if (const auto stat = stat_of(child); stat && stat->parent == process.pid)
      list.push_back({child, stat->started});
  // Is it still there, then its number was its own all along, and these are its children.
  if (!send_signal(pidfd, 0)) list.resize(before);
}

/// Each is stopped before its children are looked for: nobody can be missing that it has made already.
std::vector<KnownProcess> stop_all(std::vector<KnownProcess> tree) {
  for (std::size_t i = 0; i < tree.size(); ++i) stop(KnownProcess(tree[i]), tree);
  return tree;
}

/// It has its signal and did not come to stop yet: it may be in the middle of a fork, and where hundreds want
/// the processor it may stay there for long.
bool is_still_running(const KnownProcess& process) {
  const auto stat = stat_of(process.pid);
  return stat && stat->state == 'R' && stat->started == process.started;
}

}  // namespace

std::optional<KnownProcess> known_process(pid_t pid) {
  const auto stat = stat_of(pid);
  return stat ? std::optional(KnownProcess{pid, stat->started}) : std::nullopt;
}

bool send_signal(const KnownProcess& process, int signal) {
  const Fd pidfd = open_process(process);
  return pidfd && send_signal(pidfd, signal);
}

/// Again and again until all have stopped and no new ones come. Within reason: what waits in the kernel is
/// not waited for.
std::vector<KnownProcess> stop_with_descendants(const std::vector<KnownProcess>& roots) {
  constexpr int kPatience = 1'000;
  constexpr timespec kPause{0, 2'000'000};
  std::vector<KnownProcess> all = stop_all(roots);
  for (int i = 0; i < kPatience; ++i) {
    const bool running = std::ranges::any_of(all, is_still_running);
    if (running) ::nanosleep(&kPause, nullptr);
    const auto known = std::exchange(all, stop_all(roots)).size();
    if (!running && all.size() <= known) break;
  }
  return all;
}

void end_descendants(int pidfd) {
  const auto root = known_process(pid_of(pidfd));
  if (!root || pid_of(pidfd) != root->pid) return;
  for (const auto& process : stop_with_descendants({*root}))
    if (process.pid != root->pid) (void)send_signal(process, SIGKILL);
}

}  // namespace mayfly
