#include "bridge/huge_pages.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace mayfly::bridge {
namespace {

constexpr int kCollapse = 25;  // MADV_COLLAPSE, which older headers do not have
constexpr std::uintptr_t kHuge = 2U << 20U;

/// From where to where there is memory that can be written to and is of no file (proc_pid_maps(5)).
std::vector<std::pair<std::uintptr_t, std::uintptr_t>> own_memory() {
  std::vector<std::pair<std::uintptr_t, std::uintptr_t>> found;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin = 0, end = 0, inode = 0;
    char mode[5] = {};
    if (std::sscanf(line.c_str(), "%lx-%lx %4s %*x %*s %lu", &begin, &end, mode, &inode) == 4 && inode == 0 &&
        std::string(mode) == "rw-p")
      found.emplace_back(begin, end);
  }
  return found;
}

}  // namespace

void use_huge_pages() {
  for (const auto& [begin, end] : own_memory())
    for (auto at = (begin + kHuge - 1) & ~(kHuge - 1); at + kHuge <= end; at += kHuge)
      (void)::madvise(reinterpret_cast<void*>(at), kHuge, kCollapse);  // NOLINT(performance-no-int-to-ptr)
}

}  // namespace mayfly::bridge
