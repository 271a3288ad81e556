#include "bridge/descriptors.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <memory>

#include "base/reap.h"

namespace mayfly::bridge {
namespace {

using Folder = std::unique_ptr<DIR, int (*)(DIR*)>;

/// The entries of a folder that are numbers, without the descriptor that reads it.
std::vector<int> numbers_in(const char* path) {
  std::vector<int> numbers;
  const Folder folder(::opendir(path), &::closedir);
  if (!folder) return numbers;
  while (const dirent* entry = ::readdir(folder.get())) {
    const int number = std::atoi(entry->d_name);
    if (entry->d_name[0] != '.' && number != ::dirfd(folder.get())) numbers.push_back(number);
  }
  return numbers;
}

std::string link_target(int descriptor) {
  std::array<char, 512> path{};
  const auto name = "/proc/self/fd/" + std::to_string(descriptor);
  const ssize_t length = ::readlink(name.c_str(), path.data(), path.size() - 1);
  return length > 0 ? std::string(path.data(), static_cast<std::size_t>(length)) : std::string();
}

}  // namespace

void Descriptors::remember() {
  known_.clear();  // a number that was closed since may come again
  for (const int descriptor : numbers_in("/proc/self/fd")) known_.insert(descriptor);
}

std::vector<std::string> Descriptors::reasons() const {
  std::vector<std::string> reasons;
  if (const auto left = running_children(); left > 0)
    reasons.push_back("init left " + std::to_string(left) + " process(es) running");
  for (const int descriptor : numbers_in("/proc/self/fd")) {
    if (descriptor <= 2 || known_.contains(descriptor)) continue;
    const auto target = link_target(descriptor);
    if (target.starts_with("socket:")) {
      reasons.push_back("init left socket " + std::to_string(descriptor) + " open");
    } else if (target.starts_with("/") && !target.starts_with("/dev/") &&
               (::fcntl(descriptor, F_GETFL) & O_ACCMODE) != O_RDONLY) {
      reasons.push_back("init left the file " + target + " open for writing");
    }
  }
  return reasons;
}

int thread_count() {
  const Folder folder(::opendir("/proc/self/task"), &::closedir);
  int count = 0;
  while (const dirent* entry = folder ? ::readdir(folder.get()) : nullptr)
    if (entry->d_name[0] != '.') ++count;
  return count > 0 ? count : 1;
}

}  // namespace mayfly::bridge
