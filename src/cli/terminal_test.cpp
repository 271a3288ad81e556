#include "cli/terminal.h"

#include <gtest/gtest.h>

#include "cli/log_view.h"

namespace mayfly::cli {
namespace {

struct Terminal : testing::Test {
  Output plain{stdout, false, false};
  Output coloured{stdout, true, true};
};

TEST_F(Terminal, TableAlignsColumnsAndLeavesNoBlanksAtTheEnd) {
  Table table({"NAME", "VERSION", "URL"});
  table.row({"a", "10", "http://x"});
  table.row({"longer", "2", ""});
  table.row({"é", "", "u"});
  EXPECT_EQ(table.text(plain),
            "NAME    VERSION  URL\n"
            "a       10       http://x\n"
            "longer  2\n"
            "\xC3\xA9                u\n");
}

TEST_F(Terminal, ColourDoesNotShiftColumns) {
  Table table({"A", "B"});
  table.row({coloured.paint(Style::red, "x"), "y"});
  EXPECT_EQ(table.text(coloured), "\033[2mA\033[0m  \033[2mB\033[0m\n\033[31mx\033[0m  y\n");
}

TEST_F(Terminal, ColourOnlyWhereAPersonLooks) {
  EXPECT_EQ(plain.paint(Style::red, "x"), "x");
  EXPECT_EQ(coloured.paint(Style::red, "x"), "\033[31mx\033[0m");
  EXPECT_EQ(coloured.paint(Style::plain, "x"), "x");
}

TEST_F(Terminal, ForeignTextCannotSteerTheTerminal) {
  EXPECT_EQ(printable("a\033[2Jb\r\tc\x7F\n"), "a[2Jb\tc\n");
}

TEST_F(Terminal, LogLines) {
  EXPECT_EQ(
      show_log_line(
          R"({"time":"2024-05-01T12:00:00.123Z","level":"warn","version":3,"invocation":"1a2b3c4d5e","text":"hi"})",
          plain),
      "12:00:00.123 warn  @3 2b3c4d5e  hi");
  EXPECT_EQ(show_log_line("not json", plain), "not json");
  EXPECT_NE(show_log_line(R"({"dropped":5})", plain).find("5 lines"), std::string::npos);
}

}  // namespace
}  // namespace mayfly::cli
