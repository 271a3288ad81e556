#include "registry/compiler_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mayfly::registry {
namespace {

std::vector<std::string> described(std::string_view log) {
  std::vector<std::string> texts;
  for (const auto& message : parse_compiler_log(log))
    texts.push_back((message.is_error ? "E " : "W ") + message.describe());
  return texts;
}
using testing::ElementsAre;

TEST(CompilerLog, DiagnosticsOfGccHavePlaces) {
  EXPECT_THAT(described("lib/a.cpp: In function 'int f()':\n"
                        "lib/a.cpp:3:12: error: expected ';' before '}' token\n"
                        "    3 |   return 1 }\n"
                        "      |            ^~\n"
                        "lib/a.cpp:2:7: warning: unused variable 'x' [-Wunused-variable]\n"
                        "b.c:1:10: fatal error: none.h: No such file or directory\n"
                        "compilation terminated.\n"
                        "c.cpp:7:3: note: declared here\n"
                        "cc1plus: error: out of memory\n"),
              ElementsAre("E lib/a.cpp:3:12: expected ';' before '}' token",
                          "W lib/a.cpp:2:7: unused variable 'x' [-Wunused-variable]",
                          "E b.c:1:10: none.h: No such file or directory", "E out of memory"));
}

TEST(CompilerLog, WhatALinkerMissesOrFindsTwiceHasItsPlace) {
  EXPECT_THAT(
      described("/usr/bin/ld: /tmp/ccX.o: in function `use()':\n"
                "./a.cpp:2: undefined reference to `scale(int)'\n"
                "/usr/bin/ld: ./a.cpp:9: undefined reference to `other'\n"
                "/usr/bin/ld: /tmp/ccY.o:./b.cpp:4: multiple definition of `mayfly_abi'; "
                "/tmp/ccX.o:./a.cpp:3: first defined here\n"
                "/usr/bin/ld: /tmp/ccX.o:(.data.rel.ro+0x8): undefined reference to `vtable'\n"
                "collect2: error: ld returned 1 exit status\n"),
      ElementsAre("E a.cpp:2: undefined reference to `scale(int)'",
                  "E a.cpp:9: undefined reference to `other'",
                  "E b.cpp:4: multiple definition of `mayfly_abi'", "E undefined reference to `vtable'"));
}

TEST(CompilerLog, NothingInItIsNothing) {
  EXPECT_THAT(described(""), ElementsAre());
  EXPECT_THAT(described("\n:::\n: error\n"), ElementsAre());
}

}  // namespace
}  // namespace mayfly::registry
