#include "cli/toml_edit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/temp_folder.h"
#include "cli/input.h"

namespace mayfly::cli {
namespace {

using testing::HasSubstr;

struct Edit {
  const char* what;
  std::string before;
  std::string after;
  TomlChange change = {"hello", "min_instances", "2"};
};

TEST(TomlEdit, ChangesOneKeyAndNothingElse) {
  const std::vector<Edit> edits{
      {"a value is replaced, with what is around it",
       "# top\n[functions.hello]   # mine\nsource  =  'a.js'\nmin_instances   =   1   # warm\n\n# end\n",
       "# top\n[functions.hello]   # mine\nsource  =  'a.js'\nmin_instances   =   2   # warm\n\n# end\n"},
      {"a value that is text",
       "[functions.hello]\ntimeout = \"10s\" # ten\nmemory = \"1GiB\"\n",
       "[functions.hello]\ntimeout = \"30s\" # ten\nmemory = \"1GiB\"\n",
       {"hello", "timeout", "\"30s\""}},
      {"behind letters of several bytes",
       "[functions.hello]\nenv = { A = \"ü€😀\" } # ä\n'min_instances' = 1# é\n",
       "[functions.hello]\nenv = { A = \"ü€😀\" } # ä\n'min_instances' = 2# é\n"},
      {"a key is added behind the last one",
       "[functions.hello]\nsource = 'a.js'\n\n[[functions.hello.on]]\nschedule = '@daily'\n",
       "[functions.hello]\nsource = 'a.js'\nmin_instances = 2\n\n[[functions.hello.on]]\nschedule = "
       "'@daily'\n"},
      {"below a header alone", "[functions.hello]\n[functions.other]\n",
       "[functions.hello]\nmin_instances = 2\n[functions.other]\n"},
      {"indented as the last one",
       "  [functions.hello]\n    source = 'a.js'\n    routes = [\n  'GET /a',\n]\n# end\n",
       "  [functions.hello]\n    source = 'a.js'\n    routes = [\n  'GET /a',\n]\n    min_instances = 2\n# "
       "end\n"},
      {"of the right function",
       "[functions.a]\nmin_instances = 1\n[functions.hello]\nsource = 'h.js'\n[functions.z]\n",
       "[functions.a]\nmin_instances = 1\n[functions.hello]\nsource = 'h.js'\nmin_instances = "
       "2\n[functions.z]\n"},
      {"a file that does not end with a line end", "[functions.hello]\nsource = 'a.js'",
       "[functions.hello]\nsource = 'a.js'\nmin_instances = 2"},
      {"lines that end with CR LF", "[functions.hello]\r\nsource = 'a.js'\r\n",
       "[functions.hello]\r\nsource = 'a.js'\r\nmin_instances = 2\r\n"},
      {"a name in quotes", "[ functions . \"hello\" ]\nsource = 'a.js'\n",
       "[ functions . \"hello\" ]\nsource = 'a.js'\nmin_instances = 2\n"},
      {"a header in a text is none",
       "[functions.hello]\nsource = 'a.js'\nenv = { A = '''\n[functions.hello]\n''' }\n",
       "[functions.hello]\nsource = 'a.js'\nenv = { A = '''\n[functions.hello]\n''' }\nmin_instances = 2\n"},
      {"a value in an inline table", "functions = { hello = { min_instances = 1, source = 'a.js' } }\n",
       "functions = { hello = { min_instances = 2, source = 'a.js' } }\n"},
      {"a value with a dotted key", "functions.hello.min_instances = 1\n",
       "functions.hello.min_instances = 2\n"},
      {"the only function, whatever its name", "[functions.shop]\nmin_instances = 1\n",
       "[functions.shop]\nmin_instances = 2\n"},
      {"nothing, if it says so already", "[functions.hello]\nmin_instances = 2\n",
       "[functions.hello]\nmin_instances = 2\n"},
      {"pipelines and upstreams stay",
       "[pipelines.p]\nsteps = []\n[functions.hello]\n[upstreams.u]\nurl = 'http://a'\n",
       "[pipelines.p]\nsteps = []\n[functions.hello]\nmin_instances = 2\n[upstreams.u]\nurl = 'http://a'\n"}};
  for (const auto& edit : edits) {
    const auto changed = changed_toml(edit.before, edit.change);
    ASSERT_TRUE(changed) << edit.what << ": " << changed.error().message;
    EXPECT_EQ(*changed, edit.after) << edit.what;
  }
}

TEST(TomlEdit, RefusesWhatItCannotDoAndSaysWhatToWrite) {
  const std::string by_hand = "write below [functions.hello]\n  min_instances = 2";
  for (const auto& [text, why] : std::vector<std::pair<std::string, std::string>>{
           {"", "it has no functions"},
           {"[pipelines.p]\n", "it has no functions"},
           {"[functions]\n", "it has no functions"},
           {"[functions.a]\n[functions.b]\n", "it has no function 'hello' and more than one other"},
           {"functions.hello = 3\n", "'hello' is no table"},
           {"functions = { hello = { source = 'a.js' } }\n", "written in a way that is not changed here"},
           {"functions.hello.source = 'a.js'\n", "written in a way that is not changed here"},
           {"[functions.hello.min_instances]\na = 1\n", "written in a way that is not changed here"}}) {
    const auto changed = changed_toml(text, {"hello", "min_instances", "2"});
    ASSERT_FALSE(changed) << text << "became\n" << *changed;
    EXPECT_THAT(changed.error().message, HasSubstr(why)) << text;
    EXPECT_THAT(changed.error().message, HasSubstr(by_hand)) << text;
  }
  const auto broken = changed_toml("[functions.hello\n", {"hello", "min_instances", "2"});
  ASSERT_FALSE(broken);
  EXPECT_THAT(broken.error().message, HasSubstr("mayfly.toml:1: "));
}

TEST(TomlEdit, ShowsTheDifference) {
  EXPECT_EQ(line_diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n", "m.toml"),
            "--- m.toml\n+++ m.toml\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
  EXPECT_EQ(line_diff("1\r\n", "1\r\n2\r\n", "m"), "--- m\n+++ m\n@@ -1,1 +1,2 @@\n 1\n+2\n");
  EXPECT_EQ(line_diff("a\na\n", "a\na\na\n", "m"), "--- m\n+++ m\n@@ -1,2 +1,3 @@\n a\n a\n+a\n");
  EXPECT_EQ(line_diff("a\n", "a\n", "m"), "");
}

struct ReplaceFile : testing::Test {
  std::string path(const char* name) const { return (folder.path() / name).string(); }
  TempFolder folder;
};

TEST_F(ReplaceFile, KeepsItsModeAndTheLinkToIt) {
  std::ofstream(path("real")) << "old";
  std::filesystem::permissions(path("real"), std::filesystem::perms(0640));
  std::filesystem::create_symlink("real", path("link"));
  const auto replaced = replace_file(path("link"), "old", "new");
  ASSERT_TRUE(replaced) << replaced.error().message;
  EXPECT_EQ(read_file(path("real")).value(), "new");
  EXPECT_TRUE(std::filesystem::is_symlink(path("link")));
  EXPECT_EQ(std::filesystem::status(path("real")).permissions(), std::filesystem::perms(0640));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 2)
      << "something is left over";
}

TEST_F(ReplaceFile, LeavesWhatWasChangedMeanwhile) {
  std::ofstream(path("real")) << "newer";
  const auto replaced = replace_file(path("real"), "old", "new");
  ASSERT_FALSE(replaced);
  EXPECT_THAT(replaced.error().message, HasSubstr("was changed meanwhile"));
  EXPECT_EQ(read_file(path("real")).value(), "newer");
  EXPECT_FALSE(replace_file(path("missing"), "", "new"));
}

}  // namespace
}  // namespace mayfly::cli
