#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "base/temp_folder.h"
#include "cli/doctor_checks.h"

namespace mayfly::cli {
namespace {

namespace fs = std::filesystem;

/// A machine that has only the programs that a test writes.
struct Runtimes : testing::Test {
  void SetUp() override {
    ::unsetenv("CXX");
    ::unsetenv("CC");
    ::setenv("HOME", folder("home").c_str(), 1);
    ::setenv("PATH", (folder("a") + ":" + folder("b")).c_str(), 1);
  }
  void TearDown() override {
    ::setenv("PATH", before.c_str(), 1);
    ::setenv("HOME", home.c_str(), 1);
  }

  std::string folder(const char* name) const { return (files.path() / name).string(); }
  void program(const std::string& path, const std::string& script) const {
    const auto file = files.path() / path;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << "#!/bin/sh\n" << script << "\n";
    fs::permissions(file, fs::perms::owner_all);
  }
  static Finding found(const char* what) {
    const auto all = check_runtimes();
    const auto one = std::ranges::find(all, what, &Finding::what);
    return one == all.end() ? Finding{} : *one;
  }

  const std::string before = std::getenv("PATH");
  const char* home_before = std::getenv("HOME");
  const std::string home = home_before == nullptr ? "/" : home_before;
  TempFolder files;
};

TEST_F(Runtimes, OfAnEmptyMachineAreMissingWithACommandThatHelps) {
  for (const char* what : {"node", "npm", "python", "pip", "c++", "cc", "cmake", "make"}) {
    const auto one = found(what);
    EXPECT_EQ(one.health, Health::missing) << what;
    EXPECT_TRUE(one.advice.starts_with("install ")) << one.advice;
  }
  program("b/apt-get", "true");
  EXPECT_TRUE(found("cmake").advice.starts_with("apt-get install cmake make;")) << found("cmake").advice;
  EXPECT_TRUE(found("make").advice.starts_with("apt-get install make;")) << found("make").advice;
  EXPECT_TRUE(found("python").advice.starts_with("apt-get install python3 (3.11 or newer"));
  EXPECT_EQ(found("exec").health, Health::good);
}

TEST_F(Runtimes, HaveTheVersionThatTheyPrint) {
  program("a/c++", "echo 'c++ (Debian 12.2.0-14+deb12u1) 12.2.0'");
  program("a/go", "echo go version go1.26.8 linux/amd64");
  program("b/cargo", "echo 'cargo 1.95.0 (f2d3ce0bd 2026-03-21)'");
  EXPECT_EQ(found("c++").version, "12.2.0");
  EXPECT_EQ(found("go").version, "1.26.8");
  EXPECT_EQ(found("cargo").path, folder("b") + "/cargo");
  program("home/.cargo/bin/cargo", "echo cargo 1.80.0");
  fs::remove(files.path() / "b/cargo");
  EXPECT_EQ(found("cargo").version, "1.80.0") << "where rustup puts it";
}

TEST_F(Runtimes, ToolsOfNativeFunctionsAreLookedForWhereTheRuntimeLooks) {
  program("a/addr2line", "echo GNU addr2line 2.40");
  const auto tool = found("addr2line");
  EXPECT_NE(tool.what, "");
  EXPECT_NE(tool.path, folder("a") + "/addr2line") << "of PATH: the runtime of a function sees another one";
  if (tool.health != Health::good) {
    EXPECT_NE(tool.advice.find("binutils"), std::string::npos) << tool.advice;
  }
  program("b/gmake", "echo GNU Make 4.3");
  EXPECT_EQ(found("make").version, "4.3");
}

TEST_F(Runtimes, BehindAShimAreFoundWhereTheyReallyAre) {
  program("a/python3", "case $1 in -c) echo /opt/python/bin/python3;; *) echo Python 3.12.1;; esac");
  program("a/node", "case $1 in -p) echo /opt/node/bin/node;; *) echo v22.1.0;; esac");
  EXPECT_EQ(found("python").found, "3.12.1, /opt/python/bin/python3");
  EXPECT_EQ(found("node").path, "/opt/node/bin/node");
}

TEST_F(Runtimes, ThatAreTooOldCountOnlyIfThereIsNoOther) {
  program("a/python3", "case $1 in -c) echo /old/python3;; *) echo Python 3.9.18;; esac");
  const auto old = found("python");
  EXPECT_EQ(old.health, Health::warning);
  EXPECT_EQ(old.found, "3.9.18, /old/python3 is too old");
  EXPECT_NE(old.advice.find("3.11 or newer"), std::string::npos);
  program("b/python3.12", "case $1 in -c) echo /new/python3;; *) echo Python 3.11.2;; esac");
  EXPECT_EQ(found("python").path, "/new/python3");
  program("a/node", "echo v16.20.0");
  EXPECT_EQ(found("node").health, Health::warning);
}

TEST_F(Runtimes, PipIsAModuleOfThePythonThatWasFound) {
  program("a/pip3", "echo pip 9.9 from /elsewhere");
  EXPECT_EQ(found("pip").health, Health::missing);
  const auto python = (files.path() / "a/python3").string();
  program("a/python3",
          "case $1 in -c) echo " + python + ";; -m) echo pip 23.2.1 from /x;; *) echo Python 3.11.2;; esac");
  EXPECT_EQ(found("pip").found, "23.2.1, " + python + " -m pip");
}

TEST_F(Runtimes, CompilersAreThoseOfTheEnvironment) {
  program("a/c++", "echo c++ 12.2.0");
  program("b/mine", "echo mine 1.2");
  ::setenv("CXX", "mine", 1);
  EXPECT_EQ(found("c++").version, "1.2");
  ::unsetenv("CXX");
  EXPECT_EQ(found("c++").version, "12.2.0");
}

TEST_F(Runtimes, ThatCannotBeRunAreNotThere) {
  program("a/python3", "echo 'pyenv: version not installed' >&2; exit 127");
  EXPECT_EQ(found("python").health, Health::missing);
}

}  // namespace
}  // namespace mayfly::cli
