#include "base/remove_tree.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "base/fd.h"
#include "base/temp_folder.h"

namespace mayfly {
namespace {

namespace fs = std::filesystem;

/// A chain of folders, longer than any path may be.
void make_chain(const fs::path& top, int levels) {
  Fd at(::open(top.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int i = 0; i < levels; ++i) {
    ASSERT_EQ(::mkdirat(at.get(), "d", 0755), 0);
    at = Fd(::openat(at.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ASSERT_TRUE(at);
  }
  ASSERT_TRUE(Fd(::openat(at.get(), "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600)));
}

TEST(RemoveTree, TakesAFewDescriptorsHoweverDeepItIs) {
  TempFolder folder;
  make_chain(folder.path(), 3000);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit few{64, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  const auto removed = remove_tree(folder.path());
  ::setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_FALSE(fs::exists(folder.path()));
}

TEST(RemoveTree, FollowsNoLinkAndTakesWhatIsSealed) {
  TempFolder outside;
  std::ofstream(outside.path() / "kept") << "x";
  TempFolder folder;
  const auto sealed = folder.path() / "a" / "b";
  fs::create_directories(sealed);
  std::ofstream(sealed / "file") << "x";
  fs::create_directory_symlink(outside.path(), sealed / "link");
  fs::create_directory_symlink(outside.path(), folder.path() / "link");
  ASSERT_EQ(::mkfifo((sealed / "pipe").c_str(), 0600), 0);
  for (const auto& each : {sealed, folder.path() / "a"}) ASSERT_EQ(::chmod(each.c_str(), 0000), 0);
  ASSERT_TRUE(remove_tree(folder.path()));
  EXPECT_FALSE(fs::exists(folder.path()));
  EXPECT_TRUE(fs::exists(outside.path() / "kept"));
}

TEST(RemoveTree, AFileALinkAndNothing) {
  TempFolder folder;
  std::ofstream(folder.path() / "file") << "x";
  fs::create_symlink("file", folder.path() / "link");
  EXPECT_TRUE(remove_tree(folder.path() / "link"));
  EXPECT_TRUE(fs::exists(folder.path() / "file"));
  EXPECT_TRUE(remove_tree(folder.path() / "file"));
  EXPECT_FALSE(fs::exists(folder.path() / "file"));
  EXPECT_TRUE(remove_tree(folder.path() / "file"));
}

TEST(RemoveTree, SaysWhatItCannotRemove) {
  const auto removed = remove_tree("/proc/self/fd");
  ASSERT_FALSE(removed);
  EXPECT_TRUE(removed.error().message.contains("/proc/self/fd")) << removed.error().message;
}

}  // namespace
}  // namespace mayfly
