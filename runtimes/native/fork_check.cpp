#include "fork_check.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <memory>

#include "base/reap.h"

namespace mayfly::native {
namespace {

/// The numbers that are names in a folder of /proc.
std::vector<int> numbers_in(const char* folder) {
  std::vector<int> numbers;
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(folder), &::closedir);
  if (!dir) return numbers;
  while (const dirent* entry = ::readdir(dir.get()))
    if (entry->d_name[0] != '.' && std::atoi(entry->d_name) != ::dirfd(dir.get()))
      numbers.push_back(std::atoi(entry->d_name));
  return numbers;
}

std::string target_of(int fd) {
  std::array<char, 512> path{};
  const auto name = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t length = ::readlink(name.c_str(), path.data(), path.size());
  return length > 0 ? std::string(path.data(), static_cast<std::size_t>(length)) : std::string();
}

bool written(int fd) { return (::fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY; }

}  // namespace

ForkCheck::ForkCheck() {
  for (const int fd : numbers_in("/proc/self/fd")) known_.insert(fd);
}

std::vector<std::string> ForkCheck::reasons() const {
  std::vector<std::string> reasons;
  const auto threads = numbers_in("/proc/self/task").size();
  if (threads > 1) reasons.push_back("init left " + std::to_string(threads - 1) + " thread(s) running");
  if (const auto left = running_children(); left > 0)
    reasons.push_back("init left " + std::to_string(left) + " process(es) running");
  for (const int fd : numbers_in("/proc/self/fd")) {
    if (known_.contains(fd)) continue;
    const auto target = target_of(fd);
    if (target.starts_with("socket:"))
      reasons.push_back("init left socket " + std::to_string(fd) + " open");
    else if (target.starts_with('/') && !target.starts_with("/dev/") && written(fd))
      reasons.push_back("init left the file " + target + " open for writing");
  }
  return reasons;
}

}  // namespace mayfly::native
