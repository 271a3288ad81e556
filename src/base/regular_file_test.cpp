#include "base/regular_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <fstream>

#include "base/temp_folder.h"

namespace mayfly {
namespace {

TEST(RegularFile, IsReadWholeAndNothingElseIs) {
  TempFolder folder;
  const auto file = folder.path() / "file";
  std::ofstream(file) << "text";
  std::filesystem::create_symlink("file", folder.path() / "link");
  EXPECT_EQ(read_regular_file(file).value(), "text");
  EXPECT_EQ(read_regular_file(folder.path() / "link").value(), "text");
  EXPECT_EQ(read_regular_file(file, 4).value(), "text");
  EXPECT_EQ(read_regular_file(file, 3).error().code.value(), EFBIG);
  EXPECT_EQ(read_regular_file(folder.path() / "missing").error().code.value(), ENOENT);
  EXPECT_EQ(read_regular_file(folder.path()).error().code.value(), EINVAL);
  const auto pipe = folder.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(read_regular_file(pipe).error().code.value(), EINVAL) << "and it is not waited for";
}

}  // namespace
}  // namespace mayfly
