#include "cli/parse.h"

#include <gtest/gtest.h>

#include "cli/error.h"
#include "cli/verbs.h"

namespace mayfly::cli {
namespace {

struct Parse : testing::Test {
  Result<Parsed> parse(const std::vector<std::string>& words) { return cli::parse(verbs, words, context); }
  std::string refusal(const std::vector<std::string>& words) {
    const auto parsed = parse(words);
    if (parsed) return "";
    EXPECT_EQ(exit_code(parsed.error()), kUsage);
    return parsed.error().message;
  }

  Output out{stdout, false, false};
  Context context{.out = out, .err = out};
  bool flag = false;
  std::string name;
  std::optional<std::string> maybe;
  std::vector<std::string> many;
  std::vector<std::string> rest;
  unsigned number = 7;
  std::vector<Verb> verbs{{.name = "work",
                           .summary = "Work",
                           .description = "",
                           .examples = {},
                           .arguments = {{"name", "NAME", "A name", &name, ValueKind::function, true},
                                         {"rest", "REST", "More", &rest},
                                         {"-f,--flag", "", "A flag", &flag},
                                         {"-H,--header", "H", "Headers", &many},
                                         {"--maybe", "X", "Perhaps", &maybe},
                                         {"-n,--number", "N", "A number", &number}},
                           .run = nullptr}};
};

TEST_F(Parse, FillsInEveryKindOfArgument) {
  const auto parsed =
      parse({"work", "-f", "a", "-H", "one: 1", "b", "--number", "3", "-H", "two: 2", "c", "--json"});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->verb, &verbs[0]);
  EXPECT_TRUE(flag);
  EXPECT_EQ(name, "a");
  EXPECT_EQ(rest, (std::vector<std::string>{"b", "c"}));
  EXPECT_EQ(many, (std::vector<std::string>{"one: 1", "two: 2"}));
  EXPECT_EQ(number, 3U);
  EXPECT_FALSE(maybe);
  EXPECT_TRUE(context.json);
}

TEST_F(Parse, AListInJsonIsOneWord) {
  ASSERT_TRUE(parse({"work", "[1]", "[2,3]", "[]", "-H", "[\"x\"]", "--maybe", "[4]"}));
  EXPECT_EQ(name, "[1]");
  EXPECT_EQ(rest, (std::vector<std::string>{"[2,3]", "[]"}));
  EXPECT_EQ(many, std::vector<std::string>{"[\"x\"]"});
  EXPECT_EQ(maybe, "[4]");
}

TEST_F(Parse, ConnectionIsSharedByVerbsThatConnect) {
  ASSERT_TRUE(parse({"work", "a", "--admin-url", "http://h:1", "--token=t", "--data", "d"}));
  EXPECT_EQ(context.connection.admin_url, "http://h:1");
  EXPECT_EQ(context.connection.token, "t");
  EXPECT_EQ(context.connection.data, "d");
  verbs[0].connects = false;
  EXPECT_NE(refusal({"work", "a", "--token", "t"}), "");
}

TEST_F(Parse, AValueMayBeAnythingAfterTwoDashes) {
  const auto parsed = parse({"work", "--", "-odd", "--help"});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(name, "-odd");
  EXPECT_EQ(rest, std::vector<std::string>{"--help"});
}

TEST_F(Parse, MistypedVerbsAndOptionsGetASuggestion) {
  EXPECT_NE(refusal({"wrok"}).find("did you mean 'work'?"), std::string::npos);
  EXPECT_NE(refusal({"status"}).find("`mayfly doctor`"), std::string::npos) << "a word of others";
  EXPECT_NE(refusal({"work", "a", "--heder", "x"}).find("did you mean '--header'?"), std::string::npos);
  EXPECT_NE(refusal({"work", "a", "--flga"}).find("did you mean '--flag'?"), std::string::npos);
  EXPECT_EQ(refusal({"zzzzzzz"}).find("did you mean"), std::string::npos);
}

TEST_F(Parse, SaysThatOptionsStandAfterTheVerb) {
  EXPECT_NE(refusal({"--json", "work"}).find("options stand after the verb"), std::string::npos);
}

TEST_F(Parse, RefusesWhatMakesNoSense) {
  EXPECT_NE(refusal({"work"}), "") << "NAME is required";
  EXPECT_NE(refusal({"work", "a", "--number", "x"}), "");
  EXPECT_NE(refusal({"work", "a", "--number"}), "");
}

TEST_F(Parse, HelpAndVersion) {
  EXPECT_TRUE(parse({})->help);
  EXPECT_TRUE(parse({"--help"})->help);
  EXPECT_TRUE(parse({"-V"})->version);
  const auto help = parse({"work", "--nonsense", "--help"});
  ASSERT_TRUE(help);
  EXPECT_TRUE(help->help);
  EXPECT_EQ(help->verb, &verbs[0]);
}

}  // namespace
}  // namespace mayfly::cli
