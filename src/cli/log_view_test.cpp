#include "cli/log_view.h"

#include <gtest/gtest.h>

#include <cstdio>

namespace mayfly::cli {
namespace {

std::string shown(std::string_view line) {
  const Output plain(stdout);
  return show_log_line(line, plain);
}

TEST(LogView, SaysOnceWhatIsMissing) {
  const auto text = shown(
      R"({"time":"2026-01-01T10:00:00.000Z","level":"warn","version":1,"text":"7 lines (9 bytes) dropped","dropped":7})");
  EXPECT_NE(text.find("7 lines (9 bytes) dropped"), std::string::npos) << text;
  EXPECT_EQ(text.find("lost"), std::string::npos) << text;
}

TEST(LogView, SaysThatALineWasCut) {
  const auto text = shown(R"({"time":"","level":"info","text":"x","cut":100000})");
  EXPECT_NE(text.find("cut, was 100000 bytes"), std::string::npos) << text;
}

}  // namespace
}  // namespace mayfly::cli
