#include "cli/problem_view.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/temp_folder.h"

namespace mayfly::cli {
namespace {

struct ProblemView : testing::Test {
  void SetUp() override {
    std::filesystem::create_directories(folder.path() / "src");
    std::ofstream(folder.path() / "src/a.js") << "first\n\tfoo(bar\nlast\n";
  }
  std::string show(const std::string& document, const std::filesystem::path& source) {
    return show_problem(document, plain, source);
  }

  TempFolder folder;
  Output plain{stdout, false, false};
};

TEST_F(ProblemView, ShowsTheLineWithACaret) {
  const auto text = show(
      R"({"title": "The code has a syntax error", "detail": "missing ;", "file": "src/a.js", "line": 2, "column": 5})",
      folder.path());
  EXPECT_EQ(text,
            (folder.path() / "src/a.js").string() +
                ":2:5: error: missing ;\n  2 | \tfoo(bar\n      \t   ^\n  The code has a syntax error\n");
}

TEST_F(ProblemView, FindsTheFileBelowWhereTheDaemonKeepsIt) {
  EXPECT_NE(show(R"({"detail": "x", "file": "/data/sources/0f/src/a.js", "line": 1})", folder.path())
                .find("1 | first"),
            std::string::npos);
  EXPECT_NE(
      show(R"({"detail": "x", "file": "a.js", "line": 3})", folder.path() / "src/a.js").find("3 | last"),
      std::string::npos);
}

TEST_F(ProblemView, DoesNotShowAnotherFile) {
  EXPECT_EQ(show(R"({"detail": "x", "file": "b.js", "line": 1})", folder.path() / "src/a.js"),
            "b.js:1: error: x\n");
  EXPECT_EQ(show(R"({"detail": "x", "file": "a.js", "line": 99})", folder.path() / "src/a.js").find('|'),
            std::string::npos);
}

TEST_F(ProblemView, ShowsStackLogsAndInvocation) {
  const auto text = show(
      R"({"title": "The function failed", "detail": "boom", "stack": "Error: boom\n    at a.js:3", "logs": ["one"], "invocation": "i1"})",
      "");
  EXPECT_EQ(text,
            "error: boom\n    Error: boom\n        at a.js:3\n  the last log lines:\n    one\n  The function "
            "failed\n"
            "  invocation i1\n");
}

TEST_F(ProblemView, ShowsTheWarningsOfADeployThatFailed) {
  EXPECT_EQ(show(R"({"detail": "no module", "warnings": ["not installed"]})", ""),
            "error: no module\n  warning: not installed\n");
}

TEST_F(ProblemView, DoesNotSayThePlaceTwice) {
  EXPECT_EQ(show(R"({"detail": "b.ts:1:16: Unexpected", "file": "b.ts", "line": 1, "column": 16})", ""),
            "b.ts:1:16: error: Unexpected\n");
  EXPECT_EQ(show(R"({"detail": "mayfly.toml:3: unknown key", "file": "mayfly.toml", "line": 3})", ""),
            "mayfly.toml:3: error: unknown key\n");
}

TEST_F(ProblemView, DoesNotSayALineOfAToolTwice) {
  const std::string npm = "npm error code ETARGET\\nnpm error notarget No matching version\\nnpm error\\n";
  const std::string detail =
      R"({"detail": "npm failed:\ncode ETARGET\nnotarget No matching version", "output": ")";
  EXPECT_EQ(show(detail + npm + "\"}", ""),
            "error: npm failed:\ncode ETARGET\nnotarget No matching version\n");
  EXPECT_EQ(
      show(detail + npm + "more\"}", ""),
      "error: npm failed:\ncode ETARGET\nnotarget No matching version\n  what was printed:\n    more\n");
}

TEST_F(ProblemView, AdvisesToDeployTheFolderWhenAFileMissesAPackage) {
  const std::string document = R"({"detail": "Could not resolve \"ms\""})";
  EXPECT_NE(show(document, folder.path() / "src/a.js").find("deploy its folder"), std::string::npos);
  EXPECT_EQ(show(document, folder.path()), "error: Could not resolve \"ms\"\n");
}

TEST_F(ProblemView, WhatIsNoDocumentIsShownAsItIs) { EXPECT_EQ(show("oops", ""), "oops\n"); }

}  // namespace
}  // namespace mayfly::cli
