#include "base/private_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include "base/temp_folder.h"

namespace mayfly {
namespace {

std::string content(const std::filesystem::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

TEST(PrivateFile, IsWholeAndForItsOwnerAlone) {
  const TempFolder folder;
  const auto file = folder.path() / "key";
  ASSERT_TRUE(create_private_file(file, "secret\n"));
  EXPECT_EQ(content(file), "secret\n");
  struct stat info{};
  ASSERT_EQ(::stat(file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0600U);
  EXPECT_EQ(info.st_nlink, 1U);
}

TEST(PrivateFile, OneThatIsThereStays) {
  const TempFolder folder;
  const auto file = folder.path() / "key";
  ASSERT_TRUE(create_private_file(file, "first"));
  const auto again = create_private_file(file, "second");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, std::errc::file_exists);
  EXPECT_EQ(content(file), "first");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1) << "no draft is left";
}

TEST(PrivateFile, WithoutItsFolderThereIsNone) {
  const TempFolder folder;
  const auto made = create_private_file(folder.path() / "none/key", "x");
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, std::errc::no_such_file_or_directory);
}

}  // namespace
}  // namespace mayfly
