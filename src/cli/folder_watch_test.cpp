#include "cli/folder_watch.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <fstream>

#include "base/temp_folder.h"

namespace mayfly::cli {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

struct Watch : testing::Test {
  void write(const std::string& name) const { std::ofstream(folder.path() / name) << "x"; }

  TempFolder folder;
};

TEST_F(Watch, SeesASave) {
  auto watch = FolderWatch::open(folder.path()).value();
  EXPECT_FALSE(watch.changed());
  write("a.js");
  struct pollfd ready{.fd = watch.fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&ready, 1, 0), 1);
  EXPECT_TRUE(watch.changed());
  EXPECT_FALSE(watch.changed());
  fs::remove(folder.path() / "a.js");
  EXPECT_TRUE(watch.changed());
}

TEST_F(Watch, SeesEditorsThatRename) {
  auto watch = FolderWatch::open(folder.path()).value();
  write(".a.js.swp");
  EXPECT_FALSE(watch.changed()) << "an editor's own file";
  fs::rename(folder.path() / ".a.js.swp", folder.path() / "a.js");
  EXPECT_TRUE(watch.changed());
}

TEST_F(Watch, SeesFoldersBelowAlsoNewOnes) {
  fs::create_directories(folder.path() / "lib/deep");
  auto watch = FolderWatch::open(folder.path()).value();
  write("lib/deep/a.js");
  EXPECT_TRUE(watch.changed());
  fs::create_directory(folder.path() / "fresh");
  EXPECT_TRUE(watch.changed());
  write("fresh/b.js");
  EXPECT_TRUE(watch.changed());
}

TEST_F(Watch, DoesNotLookIntoNodeModulesAndHiddenFolders) {
  fs::create_directories(folder.path() / "node_modules/a");
  fs::create_directories(folder.path() / ".git");
  auto watch = FolderWatch::open(folder.path()).value();
  write("node_modules/a/index.js");
  write(".git/index");
  for (const char* scratch : {"a.js~", ".a.js.swp", "4913", "#a.js#", "a.tmp"}) write(scratch);
  EXPECT_FALSE(watch.changed());
  write(".env");
  EXPECT_TRUE(watch.changed());
}

TEST_F(Watch, OfAFileSeesThatFileOnly) {
  write("a.js");
  auto watch = FolderWatch::open(folder.path() / "a.js").value();
  write("b.js");
  EXPECT_FALSE(watch.changed());
  write("c.js");
  fs::rename(folder.path() / "c.js", folder.path() / "a.js");
  EXPECT_TRUE(watch.changed());
}

TEST_F(Watch, SettleTakesWhatFollowsAndEnds) {
  auto watch = FolderWatch::open(folder.path()).value();
  write("a.js");
  EXPECT_TRUE(watch.changed());
  write("b.js");
  watch.settle(1ms);
  EXPECT_FALSE(watch.changed());
}

TEST_F(Watch, OfNothingIsAnError) { EXPECT_FALSE(FolderWatch::open(folder.path() / "none/none")); }

}  // namespace
}  // namespace mayfly::cli
