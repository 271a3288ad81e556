#include "registry/entry.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "base/temp_folder.h"
#include "registry/error.h"
#include "registry/source_kind.h"

namespace mayfly::registry {
namespace {

namespace fs = std::filesystem;
using Files = std::map<std::string, std::string>;

class EntryTest : public testing::Test {
 protected:
  fs::path place(const Files& files) {
    const auto root = folder_.path() / std::to_string(++count_);
    fs::create_directories(root);
    for (const auto& [name, text] : files) {
      fs::create_directories((root / name).parent_path());
      std::ofstream(root / name) << text;
    }
    return root;
  }
  TempFolder folder_;
  int count_ = 0;
};

TEST_F(EntryTest, IsFoundByWhatLiesInTheFolder) {
  struct Case {
    Files files;
    Runtime runtime;
    std::string entry;
  };
  const std::vector<Case> cases{
      {{{"bootstrap", "#!/bin/sh"}, {"index.js", ""}}, Runtime::exec, "bootstrap"},
      {{{"go.mod", ""}, {"main.go", ""}}, Runtime::exec, "go.mod"},
      {{{"Cargo.toml", ""}, {"src/main.rs", ""}}, Runtime::exec, "Cargo.toml"},
      {{{"CMakeLists.txt", ""}, {"a.cpp", ""}, {"b.cpp", ""}}, Runtime::native, "CMakeLists.txt"},
      {{{"package.json", R"({"main":"lib/x.js"})"}, {"lib/x.js", ""}}, Runtime::node, "lib/x.js"},
      {{{"app.py", ""}, {"helper.py", ""}}, Runtime::python, "app.py"},
      {{{"lambda_function.py", ""}, {"requirements.txt", ""}}, Runtime::python, "lambda_function.py"},
      {{{"thing.py", ""}, {"README.md", ""}}, Runtime::python, "thing.py"},
      {{{"one.cxx", ""}, {"two.c", ""}}, Runtime::native, "."},
      {{{"run", "#!/bin/sh\n"}, {"notes.txt", ""}}, Runtime::exec, "run"},
      {{{"only.py", ""}, {"setup.py", ""}}, Runtime::python, "only.py"},
      {{{"manage.py", "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')"},
        {"shop/settings.py", ""},
        {"shop/wsgi.py", ""}},
       Runtime::python,
       "shop/wsgi.py"},
      {{{"manage.py", "setdefault(\"DJANGO_SETTINGS_MODULE\", \"shop.settings\")"},
        {"shop/wsgi.py", ""},
        {"app.py", ""}},
       Runtime::python,
       "app.py"},
  };
  for (const auto& one : cases) {
    const auto found = find_entry(place(one.files), "");
    ASSERT_TRUE(found) << one.entry << ": " << found.error().message;
    EXPECT_EQ(found->file, one.entry);
    EXPECT_EQ(found->runtime, one.runtime) << one.entry;
  }
}

TEST_F(EntryTest, TwoThatCouldBeMeantAreNotGuessed) {
  const auto found = find_entry(place({{"index.js", ""}, {"main.py", ""}}), "");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, RegistryErrc::no_entry);
  EXPECT_NE(found.error().message.find("both index.js and main.py"), std::string::npos);
}

TEST_F(EntryTest, WhatIsMissingIsSaidOfWhatIsThere) {
  const std::vector<std::pair<Files, std::string>> cases{
      {{{"b.sh", "#!/bin/sh"}, {"a.sh", "#!/bin/sh"}},
       "which of these files is to be run? a.sh, b.sh: name one"},
      {{{"src/main.cpp", ""}, {"include/a.h", ""}}, "they lie in src: write a CMakeLists.txt"},
      {{{"manage.py", "'DJANGO_SETTINGS_MODULE', 'gone.settings'"}},
       "wsgi.py or asgi.py beside its settings"},
      {{{"manage.py", "DJANGO_SETTINGS_MODULE"}}, "not manage.py"},
      {{{"setup.py", ""}, {"pkg/__init__.py", ""}}, "setup.py is none"},
      {{{"README.md", ""}}, "call it index.js or main.py"},
  };
  for (const auto& [files, words] : cases) {
    const auto found = find_entry(place(files), "");
    ASSERT_FALSE(found) << words;
    EXPECT_EQ(found.error().code, RegistryErrc::no_entry);
    EXPECT_NE(found.error().message.find(words), std::string::npos) << found.error().message;
  }
}

TEST_F(EntryTest, ASourceIsAFileOrAFolder) {
  const auto root = place({{"web/wsgi.py", ""}, {"tool/go.mod", ""}, {"notes.txt", "text"}});
  EXPECT_EQ(find_entry(root, "web/wsgi.py")->runtime, Runtime::python);
  EXPECT_EQ(find_entry(root, "tool")->file, "tool/go.mod");
  EXPECT_EQ(find_entry(root, "notes.txt").error().code, RegistryErrc::unsupported_source);
  EXPECT_EQ(find_entry(root, "absent.py").error().code, RegistryErrc::no_entry);
}

TEST_F(EntryTest, LambdasHandlerNamesItsModule) {
  const auto root = place({{"pkg/mod.py", ""}, {"index.mjs", ""}});
  std::string python = "pkg.mod.run";
  EXPECT_EQ(take_module(root, python), "pkg/mod.py");
  EXPECT_EQ(python, "run");
  std::string node = "index.handler";
  EXPECT_EQ(take_module(root, node), "index.mjs");
  EXPECT_EQ(node, "handler");
  for (const std::string plain : {"default", "other.run", "../x.run", ".x", "x."}) {
    std::string handler = plain;
    EXPECT_EQ(take_module(root, handler), "") << plain;
    EXPECT_EQ(handler, plain);
  }
}

TEST(SourceKind, ProgramsAreKnownByTheirFirstBytes) {
  EXPECT_TRUE(is_program("#!/bin/sh"));
  EXPECT_TRUE(is_program(std::string_view("\177ELF\2", 5)));
  EXPECT_FALSE(is_program("echo hi"));
  EXPECT_EQ(runtime_of("deep/go.mod"), Runtime::exec);
  EXPECT_EQ(runtime_of("xgo.mod"), std::nullopt);
  EXPECT_EQ(runtime_of(".py"), std::nullopt);
}

}  // namespace
}  // namespace mayfly::registry
