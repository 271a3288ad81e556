#include "base/guarded_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>
#include <optional>

#include "base/temp_folder.h"

namespace mayfly {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

std::string content(const fs::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// root/ is the folder; secret and outside/kept lie beside it, and links in root lead there.
class Guarded : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(root_ / "inner");
    fs::create_directories(outside_);
    std::ofstream(outside_ / "kept") << "kept";
    std::ofstream(temp_.path() / "secret") << "secret";
    std::ofstream(root_ / "inner/file") << "text";
    fs::create_symlink("../secret", root_ / "link");
    fs::create_directory_symlink(outside_, root_ / "folder");
    guarded_.emplace(std::move(GuardedFolder::open(root_).value()));
  }
  /// That outside of the folder nothing has changed.
  void TearDown() override {
    EXPECT_EQ(content(temp_.path() / "secret"), "secret");
    EXPECT_EQ(content(outside_ / "kept"), "kept");
    EXPECT_EQ(std::distance(fs::directory_iterator(outside_), {}), 1);
  }

  TempFolder temp_;
  fs::path root_ = temp_.path() / "root";
  fs::path outside_ = temp_.path() / "outside";
  std::optional<GuardedFolder> guarded_;
};

TEST_F(Guarded, FilesAreReadAndLinksAreNot) {
  EXPECT_EQ(guarded_->read("inner/file").value(), "text");
  EXPECT_EQ(guarded_->read("link").error().code, std::errc::too_many_symbolic_link_levels);
  EXPECT_EQ(guarded_->read("folder/kept").error().code, std::errc::too_many_symbolic_link_levels);
  EXPECT_EQ(guarded_->read("../secret").error().code, std::errc::cross_device_link);
  EXPECT_EQ(guarded_->read("/etc/passwd").error().code, std::errc::cross_device_link);
  EXPECT_EQ(guarded_->read("none").error().code, std::errc::no_such_file_or_directory);
  EXPECT_EQ(guarded_->read("inner/file", 3).error().code, std::errc::file_too_large);
}

TEST_F(Guarded, APipeIsNoFileAndNobodyWaitsForIt) {
  ASSERT_EQ(::mkfifo((root_ / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(guarded_->read("pipe").error().code, std::errc::invalid_argument);
  EXPECT_EQ(guarded_->read("inner").error().code, std::errc::invalid_argument);
}

TEST_F(Guarded, FilesAreFoundWithoutFollowingLinks) {
  ASSERT_EQ(::mkfifo((root_ / "pipe").c_str(), 0600), 0);
  std::ofstream(root_ / "a") << "";
  EXPECT_THAT(guarded_->files().value(), ElementsAre("a", "inner/file"));
  EXPECT_THAT(guarded_->files("inner").value(), ElementsAre("inner/file"));
  EXPECT_FALSE(guarded_->files("folder"));
}

TEST_F(Guarded, WritesTakeThePlaceOfALinkAndGoThroughNone) {
  ASSERT_TRUE(guarded_->write("link", "mine"));
  EXPECT_EQ(content(root_ / "link"), "mine");
  EXPECT_FALSE(fs::is_symlink(root_ / "link"));
  ASSERT_TRUE(guarded_->write("new/deep/file", "mine"));
  EXPECT_EQ(content(root_ / "new/deep/file"), "mine");
  EXPECT_FALSE(guarded_->write("folder/file", "mine"));
  EXPECT_FALSE(guarded_->write("../secret", "mine"));
  EXPECT_FALSE(guarded_->write("..", "mine"));
  EXPECT_FALSE(guarded_->make_folder("folder/new"));
  EXPECT_FALSE(guarded_->make_folder("folder"));
}

TEST_F(Guarded, CopiesHaveTheModeTheyAreGiven) {
  const auto from = guarded_->open_file("inner/file").value().release();
  ASSERT_TRUE(guarded_->copy(Fd(from), "program", 0755));
  EXPECT_EQ(content(root_ / "program"), "text");
  struct stat status{};
  ASSERT_EQ(::stat((root_ / "program").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0755U);
}

TEST_F(Guarded, WhatIsRemovedIsTheLinkAndNotItsTarget) {
  fs::create_directory_symlink(outside_, root_ / "inner/again");
  ASSERT_TRUE(guarded_->remove("inner"));
  EXPECT_FALSE(fs::exists(root_ / "inner"));
  EXPECT_FALSE(guarded_->remove("folder/kept"));
  ASSERT_TRUE(guarded_->remove("folder"));
  EXPECT_FALSE(fs::exists(fs::symlink_status(root_ / "folder")));
  EXPECT_TRUE(guarded_->remove("none/at/all"));
  EXPECT_FALSE(guarded_->remove("."));
}

TEST_F(Guarded, TheFolderItselfIsNoLink) {
  EXPECT_FALSE(GuardedFolder::open(root_ / "folder"));
  EXPECT_FALSE(GuardedFolder::open(root_ / "inner/file"));
}

}  // namespace
}  // namespace mayfly
