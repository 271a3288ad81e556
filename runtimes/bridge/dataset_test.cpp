#include "bridge/dataset.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>

#include "base/memory_file.h"

namespace mayfly::bridge {
namespace {

using testing::HasSubstr;

constexpr std::size_t kHuge = 2U << 20U;

std::string content(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 2654435761U >> 24U);
  return text;
}

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The mapping that begins here, as a line of /proc/self/maps; empty: there is none.
std::string mapping_at(const void* address) {
  std::array<char, 32> begin{};
  std::snprintf(begin.data(), begin.size(), "%lx-", reinterpret_cast<unsigned long>(address));
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);)
    if (line.starts_with(begin.data())) return line;
  return {};
}

TEST(Dataset, IsMappedFromAMultipleOfAHugePageAndItsDescriptorIsClosed) {
  for (const std::size_t size : {std::size_t{1}, std::size_t{4096}, std::size_t{100'001}, 2 * kHuge + 17}) {
    const auto text = content(size);
    auto file = sealed_file("access-log", text);
    ASSERT_TRUE(file);
    const int descriptor = file->get();
    const auto bytes = map_dataset(std::move(*file), size, DatasetAccess::read);
    ASSERT_TRUE(bytes) << bytes.error().message;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(bytes->data()) % kHuge, 0U);
    EXPECT_TRUE(text_of(*bytes) == text) << size;
    EXPECT_LT(::fcntl(descriptor, F_GETFD), 0) << "it is open still";
    const auto line = mapping_at(bytes->data());
    EXPECT_THAT(line, HasSubstr(" r--p "));
    EXPECT_THAT(line, HasSubstr("memfd:access-log"));
    const auto end = reinterpret_cast<std::uintptr_t>(bytes->data()) + ((size + 4095) & ~std::size_t{4095});
    std::array<char, 32> expected{};
    std::snprintf(expected.data(), expected.size(), "-%lx ", static_cast<unsigned long>(end));
    EXPECT_THAT(line, HasSubstr(expected.data())) << "what was reserved besides is given back";
    ::munmap(bytes->data(), bytes->size());
  }
}

/// How a child ends that does this.
template <class Action>
int status_of_child(Action action) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGSEGV, SIG_DFL);
    ::_exit(action());
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status;
}

TEST(Dataset, WhoOnlyReadsCannotWrite) {
  auto file = sealed_file("data", "data");
  ASSERT_TRUE(file);
  const auto bytes = map_dataset(std::move(*file), 4, DatasetAccess::read);
  ASSERT_TRUE(bytes);
  volatile char* const first = reinterpret_cast<char*>(bytes->data());
  const int status = status_of_child([&] {
    *first = 'D';
    return 0;
  });
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV) << status;
}

TEST(Dataset, AWriteIsOfTheOneWhoWrites) {
  auto file = sealed_file("data", "data");
  ASSERT_TRUE(file);
  Fd again(::fcntl(file->get(), F_DUPFD_CLOEXEC, 0));
  const auto bytes = map_dataset(std::move(*file), 4, DatasetAccess::own_copy);
  const auto others = map_dataset(std::move(again), 4, DatasetAccess::own_copy);
  ASSERT_TRUE(bytes && others);
  const int status = status_of_child([&] {
    (*bytes)[0] = std::byte{'D'};
    return text_of(*bytes) == "Data" && text_of(*others) == "data" ? 0 : 1;
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(text_of(*bytes), "data");
}

TEST(Dataset, AnEmptyOneHasNothingToMap) {
  auto file = sealed_file("nothing", "");
  ASSERT_TRUE(file);
  const auto bytes = map_dataset(std::move(*file), 0, DatasetAccess::read);
  ASSERT_TRUE(bytes) << bytes.error().message;
  EXPECT_TRUE(bytes->empty());
}

TEST(Dataset, WhatCouldEndAReaderIsRefusedWithItsReason) {
  const auto gone = map_dataset(Fd(1023), 4, DatasetAccess::read);
  ASSERT_FALSE(gone);
  EXPECT_THAT(gone.error().message, HasSubstr("the dataset's descriptor 1023 is not open"));

  auto file = sealed_file("short", "four");
  ASSERT_TRUE(file);
  const auto larger = map_dataset(std::move(*file), 5, DatasetAccess::read);
  ASSERT_FALSE(larger);
  EXPECT_THAT(larger.error().message, HasSubstr("said to have 5 bytes, but its file has 4"));

  Fd open(::memfd_create("open", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::ftruncate(open.get(), 4096), 0);
  const auto may_shrink = map_dataset(std::move(open), 4096, DatasetAccess::read);
  ASSERT_FALSE(may_shrink);
  EXPECT_THAT(may_shrink.error().message, HasSubstr("may shrink"));

  const auto disk = map_dataset(Fd(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC)), 1, DatasetAccess::read);
  ASSERT_FALSE(disk);
  EXPECT_THAT(disk.error().message, HasSubstr("not of a file in memory"));
}

}  // namespace
}  // namespace mayfly::bridge
