#include "pool/process_memory.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

namespace mayfly::pool {
namespace {

constexpr std::size_t kBlock = 32U << 20U;

/// Memory that this process has written, given back at the end.
struct Block {
  Block() : at(::mmap(nullptr, kBlock, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    std::memset(at, 1, kBlock);
  }
  ~Block() { ::munmap(at, kBlock); }
  void* at;
};

TEST(PrivateMemory, CountsWhatAProcessHasForItself) {
  const auto before = private_memory(::getpid());
  ASSERT_GT(before, 0U);
  const Block block;
  EXPECT_GE(private_memory(::getpid()), before + kBlock / 2);
}

TEST(PrivateMemory, AFileInMemoryStaysWhenItsOnlyReaderEnds) {
  const int file = ::memfd_create("dataset", MFD_CLOEXEC);
  ASSERT_EQ(::ftruncate(file, kBlock), 0);
  void* const written = ::mmap(nullptr, kBlock, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  const auto before = private_memory(::getpid());
  std::memset(written, 1, kBlock);
  EXPECT_LT(private_memory(::getpid()), before + kBlock / 2);
  ::munmap(written, kBlock);
  ::close(file);
}

TEST(PrivateMemory, PagesSharedByAForkDoNotCount) {
  const Block block;
  int pipes[2];
  ASSERT_EQ(::pipe(pipes), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 0;
    ::close(pipes[1]);
    (void)!::read(pipes[0], &byte, 1);  // until the parent has looked
    ::_exit(0);
  }
  const auto of_child = private_memory(child);
  ::close(pipes[0]);
  ::close(pipes[1]);
  ::waitpid(child, nullptr, 0);
  EXPECT_GT(of_child, 0U);
  EXPECT_LT(of_child, kBlock / 2);
}

TEST(TemplateMemory, CountsWhatItSharesWithItsInstances) {
  int pipes[2];
  ASSERT_EQ(::pipe(pipes), 0);
  const pid_t its_template = ::fork();
  if (its_template == 0) {
    const Block block;
    const pid_t instance = ::fork();
    if (instance == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      (void)!::write(pipes[1], "i", 1);  // from here on it ends with its template
    }
    ::pause();
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(pipes[0], &byte, 1), 1);
  const auto alone = private_memory(its_template);
  const auto whole = template_memory(its_template, 1U << 20U);
  ::kill(its_template, SIGKILL);
  ::waitpid(its_template, nullptr, 0);
  ::close(pipes[0]);
  ::close(pipes[1]);
  EXPECT_LT(alone, kBlock / 2);
  EXPECT_GE(whole, kBlock);
  EXPECT_LT(whole, kBlock * 2);
}

TEST(PrivateMemory, OfAProcessThatIsGoneNothingIsKnown) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(private_memory(child), 0U);
}

}  // namespace
}  // namespace mayfly::pool
