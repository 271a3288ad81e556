#include "daemon/tools.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "base/temp_folder.h"

namespace mayfly::daemon {
namespace {

namespace fs = std::filesystem;

TEST(LookedFor, WhatIsMissingIsLookedForAgainNowAndThen) {
  ManualClock clock;
  int looks = 0;
  bool installed = false;
  LookedFor looked_for(
      [&]() -> Result<Interpreter> {
        ++looks;
        if (!installed)
          return fail(std::make_error_code(std::errc::no_such_file_or_directory), "not installed");
        return Interpreter{"/usr/bin/python3", "3.11.2"};
      },
      clock);
  EXPECT_EQ(looks, 0) << "at first use";
  EXPECT_FALSE(looked_for.get());
  installed = true;
  clock.advance(LookedFor::kLookAgain - std::chrono::milliseconds(1));
  EXPECT_FALSE(looked_for.get());
  EXPECT_EQ(looks, 1) << "not at every call";
  clock.advance(std::chrono::milliseconds(1));
  ASSERT_TRUE(looked_for.get());
  EXPECT_EQ(looked_for.get()->version, "3.11.2");
  clock.advance(std::chrono::hours(1));
  installed = false;
  EXPECT_TRUE(looked_for.get()) << "what was found stays";
  EXPECT_EQ(looks, 2);
}

/// A virtual environment of the daemon's own, as far as its files go.
struct InterpreterTest : testing::Test {
  InterpreterTest() {
    fs::create_directories(packages);
    fs::create_directories(environment / "bin");
    fs::create_directories(folder.path() / "base");
    std::ofstream(folder.path() / "base/python3") << "#!/bin/sh\n";
    fs::permissions(folder.path() / "base/python3", fs::perms(0755));
    fs::create_symlink(folder.path() / "base/python3", python);
    std::ofstream(environment / "pyvenv.cfg") << "home = /usr/bin\n";
    std::ofstream(packages / "some.pth") << "import some\n";
  }
  std::string refused(const fs::path& path, const std::vector<fs::path>& untrusted = {}) {
    const auto checked = check_interpreter(registry::Runtime::python, path, untrusted);
    return checked ? "" : checked.error().message;
  }
  /// What is said when this belongs to somebody else.
  std::string refused_of_others(const fs::path& path) {
    EXPECT_EQ(::lchown(path.c_str(), 65'534, 65'534), 0);
    const auto said = refused(python);
    EXPECT_EQ(::lchown(path.c_str(), 0, 0), 0);
    return said;
  }

  TempFolder folder;
  fs::path environment = folder.path() / "venv";
  fs::path packages = environment / "lib/python3.11/site-packages";
  fs::path python = environment / "bin/python";
};

TEST_F(InterpreterTest, OfTheDaemonsOwnIsFine) {
  EXPECT_EQ(refused(python), "");
  EXPECT_EQ(refused(folder.path() / "base/python3"), "");
}

TEST_F(InterpreterTest, HasToBeAProgramOfTheRuntime) {
  EXPECT_NE(refused(environment / "bin/no").find("is not there"), std::string::npos);
  EXPECT_NE(refused(environment).find("is no program"), std::string::npos);
  EXPECT_NE(refused("/bin/sh").find("is no python"), std::string::npos);
  EXPECT_NE(refused(environment / "bin/../bin/python").find(". and .."), std::string::npos);
  EXPECT_NE(refused(python, {environment}).find("what functions have brought"), std::string::npos);
}

TEST_F(InterpreterTest, IsRefusedIfOthersCouldPutSomethingInItsPlace) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  for (const auto& path : {folder.path() / "base/python3", folder.path() / "base", environment, python,
                           environment / "pyvenv.cfg", environment / "lib", environment / "lib/python3.11",
                           packages, packages / "some.pth"})
    EXPECT_NE(refused_of_others(path).find(path.string() + " belongs to user 65534"), std::string::npos)
        << path;
  EXPECT_EQ(refused(python), "");
}

TEST_F(InterpreterTest, IsRefusedIfOthersMayWriteWhereItLies) {
  for (const auto& path : {folder.path() / "base/python3", folder.path() / "base", environment / "lib"}) {
    fs::permissions(path, fs::perms(0777));
    EXPECT_NE(refused(python).find(path.string() + " can be written by others"), std::string::npos) << path;
    fs::permissions(path, fs::perms(0755));
  }
  fs::permissions(environment, fs::perms(01777));
  EXPECT_EQ(refused(python), "") << "as in /tmp: others cannot replace what is there";
}

}  // namespace
}  // namespace mayfly::daemon
