#include "registry/esbuild_log.h"

#include <gtest/gtest.h>

namespace mayfly::registry {
namespace {

TEST(EsbuildLog, GivesEachMessageWithItsPlace) {
  const auto messages = parse_esbuild_log(
      "▲ [WARNING] Comparison with -0 using the \"===\" operator [equals-negative-zero]\n\n"
      "    a b.ts:7:4:\n      7 │ x\n        ╵ ~\n\n"
      "✘ [ERROR] Expected \")\" but found \"{\"\n\n"
      "    src/bad.ts:3:34:\n"
      "      3 │ export default { fetch(r: Request { } };\n"
      "        │                                   ^\n"
      "        ╵                                   )\n\n"
      "  The opening is here:\n\n"
      "    src/bad.ts:1:1:\n"
      "      1 │ (\n\n"
      "✘ [ERROR] Could not read from file\n\n"
      "1 warning and 2 errors\n");
  ASSERT_EQ(messages.size(), 3U);
  EXPECT_FALSE(messages[0].is_error);
  EXPECT_EQ(messages[0].file, "a b.ts");
  EXPECT_TRUE(messages[1].is_error);
  EXPECT_EQ(messages[1].describe(), "src/bad.ts:3:35: Expected \")\" but found \"{\"");
  EXPECT_EQ(messages[2].describe(), "Could not read from file");
}

TEST(EsbuildLog, TakesAnything) {
  EXPECT_TRUE(parse_esbuild_log("").empty());
  EXPECT_TRUE(parse_esbuild_log("panic: something\n    at x:1:2:\n").empty());
  EXPECT_EQ(parse_esbuild_log("✘ [ERROR] x\n    :1:2:\n    a:b:c:\n    a:99999999999999999999:1:").at(0).file,
            "");
}

}  // namespace
}  // namespace mayfly::registry
