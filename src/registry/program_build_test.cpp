#include "registry/program_build.h"

#include <gtest/gtest.h>

#include "base/temp_folder.h"

namespace mayfly::registry {
namespace {

TEST(ProgramBuild, TheFirstComplaintOfGo) {
  const auto found = first_complaint(
      "go: downloading x v1\n# example.org/hello\n./main.go:7:2: undefined: x\n./b.go:1:1: y\n");
  EXPECT_EQ(found.file, "main.go");
  EXPECT_EQ(found.line, "7");
  EXPECT_EQ(found.column, "2");
}

TEST(ProgramBuild, TheFirstComplaintOfRust) {
  const auto found = first_complaint(
      "   Compiling hello v0.1.0\nerror[E0425]: cannot find value `x`\n  --> src/main.rs:3:5\n   |\n");
  EXPECT_EQ(found.file, "src/main.rs");
  EXPECT_EQ(found.line, "3");
  EXPECT_EQ(found.column, "5");
}

TEST(ProgramBuild, OtherTroubleIsNoPlaceInTheCode) {
  EXPECT_EQ(first_complaint("go: module lookup failed: dial tcp 192.0.2.1:443\n").file, "");
}

TEST(ProgramBuild, ALongLineIsNoPlaceInTheCode) {
  const std::string line = std::string(1U << 20U, 'x') + ".go";
  EXPECT_EQ(first_complaint(line + ":1:1: y\n./b.go:2:1: y\n").file, "b.go");
}

TEST(ProgramBuild, ProgressIsNotShown) {
  EXPECT_EQ(telling_part("go: downloading a v1\n   Compiling b v2\n\n# hello\n./main.go:1:1: no\n"),
            "# hello\n./main.go:1:1: no");
}

TEST(ProgramBuild, TheNewestAreKept) {
  const TempFolder folder;
  const auto now = std::filesystem::file_time_type::clock::now();
  for (int i = 0; i < 5; ++i) {
    const auto path = folder.path() / std::to_string(i);
    std::filesystem::create_directory(path);
    std::filesystem::last_write_time(path, now - std::chrono::hours(i));
  }
  keep_newest(folder.path(), 2);
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "0"));
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "1"));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "2"));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "4"));
}

}  // namespace
}  // namespace mayfly::registry
