#include "bridge/huge_pages.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <fstream>
#include <string>

namespace mayfly::bridge {
namespace {

/// KiB of this process that are in huge pages.
long huge() {
  std::ifstream rollup("/proc/self/smaps_rollup");
  for (std::string line; std::getline(rollup, line);)
    if (line.starts_with("AnonHugePages:")) return std::stol(line.substr(14));
  return 0;
}

TEST(HugePages, WhatFillsThemIsMovedIntoThemAndStaysWhatItIs) {
  constexpr std::size_t kSize = 8U << 20U;
  void* const memory = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  ::madvise(memory, kSize, MADV_NOHUGEPAGE);
  std::memset(memory, 'm', kSize);
  const long before = huge();
  ::madvise(memory, kSize, MADV_HUGEPAGE);
  use_huge_pages();
  if (huge() == before) GTEST_SKIP() << "this kernel has none, or none is free";
  EXPECT_GE(huge() - before, 3 * 2048) << "at least three of them fit";
  EXPECT_EQ(std::string(static_cast<char*>(memory), kSize), std::string(kSize, 'm'));
  ::munmap(memory, kSize);
}

}  // namespace
}  // namespace mayfly::bridge
