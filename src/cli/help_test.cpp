// Help, manual and completion hold everything that the verbs declare.
#include "cli/help.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "base/child.h"
#include "base/temp_folder.h"
#include "cli/parse.h"
#include "cli/verbs.h"

namespace mayfly::cli {
namespace {

struct Help : testing::Test {
  VerbList verbs = all_verbs([](const ServeOptions&) { return 0; });
  Output out{stdout, false, false};
  Context context{.out = out, .err = out};

  static std::string last_name(const Argument& argument) {
    return argument.names.substr(argument.names.find_last_of(',') + 1);
  }
};

TEST_F(Help, HasTheVerbsThatUsersKnow) {
  for (const char* name :
       {"serve",    "dev",      "new",     "deploy",     "invoke",     "list",  "describe", "delete",
        "versions", "rollback", "traffic", "logs",       "invocation", "topic", "queue",    "dlq",
        "schedule", "secret",   "doctor",  "completion", "man",        "help"})
    EXPECT_NE(std::ranges::find(*verbs, name, &Verb::name), verbs->end()) << name;
}

TEST_F(Help, NamesEveryArgument) {
  for (const auto& verb : *verbs) {
    const auto text = help_text(verb, out);
    EXPECT_TRUE(text.starts_with("mayfly " + verb.name));
    for (const auto& argument : arguments_of(verb, context)) {
      EXPECT_NE(text.find(argument.positional() ? argument.value : last_name(argument)), std::string::npos);
      EXPECT_FALSE(argument.about.empty()) << verb.name << " " << argument.names;
    }
    EXPECT_NE(overview(*verbs, out).find(verb.summary), std::string::npos);
  }
}

TEST_F(Help, IsNotWiderThanATerminal) {
  for (const auto& verb : *verbs) {
    std::string text = help_text(verb, out);
    while (!text.empty()) {
      const auto line = text.substr(0, text.find('\n'));
      EXPECT_LE(display_width(line), 110U) << line;
      text.erase(0, line.size() + 1);
    }
  }
}

TEST_F(Help, ManualIsInStepWithTheVerbs) {
  const auto page = manual(*verbs);
  for (const auto& verb : *verbs) {
    EXPECT_NE(page.find(".SS " + verb.name), std::string::npos);
    for (const auto& argument : arguments_of(verb, context)) {
      if (argument.positional()) continue;
      std::string escaped;
      for (const char c : last_name(argument)) escaped += c == '-' ? "\\-" : std::string(1, c);
      EXPECT_NE(page.find(escaped), std::string::npos) << verb.name << " " << argument.names;
    }
  }
}

TEST_F(Help, CompletionNamesEveryVerbAndOption) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const auto script = completion_script(*verbs, shell);
    for (const auto& verb : *verbs) {
      EXPECT_NE(script.find(verb.name), std::string::npos) << shell;
      for (const auto& argument : arguments_of(verb, context)) {
        if (argument.positional()) continue;
        EXPECT_NE(script.find(last_name(argument).substr(2)), std::string::npos)
            << shell << " " << argument.names;
      }
    }
    EXPECT_NE(script.find("mayfly list --names"), std::string::npos) << shell;
  }
  EXPECT_EQ(completion_script(*verbs, "tcsh"), "");
}

TEST_F(Help, BashCompletesVerbsOptionsAndFunctions) {
  const TempFolder folder;
  const auto script = folder.path() / "completion.bash";
  std::ofstream(script) << completion_script(*verbs, "bash") << R"(
mayfly() { [[ $1 == queue ]] && echo orders/mail || { echo hello; echo shop; }; }
try() { COMP_WORDS=(mayfly "$@"); COMP_CWORD=$#; _mayfly; echo "${COMPREPLY[@]}"; }
try vers
try invoke he
try logs --inv
try deploy x --name sh
try completion z
try dlq re
try dlq list or
try dlq list --limit
try invocation list --state de
)";
  const auto done = run({"bash", script.string()});
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->errors, "");
  EXPECT_EQ(done->output, "versions\nhello\n--invocation\nshop\nzsh\nredrive\norders/mail\n--limit\ndead\n");
}

}  // namespace
}  // namespace mayfly::cli
