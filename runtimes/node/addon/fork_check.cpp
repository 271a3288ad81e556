#include "fork_check.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <utility>

namespace mayfly::node {
namespace {

std::vector<int> open_fds() {
  std::vector<int> fds;
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir("/proc/self/fd"), &::closedir);
  if (!dir) return fds;
  while (const dirent* entry = ::readdir(dir.get())) {
    const int fd = std::atoi(entry->d_name);
    if (entry->d_name[0] != '.' && fd != ::dirfd(dir.get())) fds.push_back(fd);
  }
  return fds;
}

std::vector<void*> live_threads() {
  using LiveThreads = int (*)(void**, int);
  // From the preloaded library; without it nothing is known of threads.
  const auto count_threads = reinterpret_cast<LiveThreads>(::dlsym(RTLD_DEFAULT, "mayfly_live_threads"));
  if (count_threads == nullptr) return {};
  std::vector<void*> routines(256);
  const int count = count_threads(routines.data(), static_cast<int>(routines.size()));
  routines.resize(static_cast<std::size_t>(std::min(count, 256)));
  return routines;
}

std::string link_target(int fd) {
  std::array<char, 512> path{};
  const auto name = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t length = ::readlink(name.c_str(), path.data(), path.size() - 1);
  return length > 0 ? std::string(path.data(), static_cast<std::size_t>(length)) : std::string();
}

}  // namespace

void ForkCheck::remember_baseline() {
  for (const int fd : open_fds()) fds_.insert(fd);
  if (std::exchange(remembered_, true)) return;
  // The runtime has used its file workers once by now, so their routine is among these.
  for (void* routine : live_threads()) thread_routines_.insert(routine);
}

std::vector<std::string> ForkCheck::reasons() const {
  std::vector<std::string> reasons;
  int threads = 0;
  for (void* routine : live_threads())
    if (!thread_routines_.contains(routine)) ++threads;
  if (threads > 0) reasons.push_back("init left " + std::to_string(threads) + " thread(s) running");
  for (const int fd : open_fds()) {
    if (fd <= 3 || fds_.contains(fd)) continue;
    const auto target = link_target(fd);
    if (target.starts_with("socket:")) {
      // The template's own control and log sockets are close-on-exec AF_UNIX pairs; they are skipped by
      // number.
      reasons.push_back("init left socket " + std::to_string(fd) + " open");
    } else if (target.starts_with("/") && !target.starts_with("/dev/")) {
      const int flags = ::fcntl(fd, F_GETFL);
      if ((flags & O_ACCMODE) != O_RDONLY)
        reasons.push_back("init left the file " + target + " open for writing");
    }
  }
  return reasons;
}

}  // namespace mayfly::node
