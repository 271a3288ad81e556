#include "cli/package.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/child.h"
#include "base/temp_folder.h"
#include "cli/ignore.h"
#include "cli/project.h"

namespace mayfly::cli {
namespace {

namespace fs = std::filesystem;
using Paths = std::vector<std::string>;

TEST(IgnoreList, PatternsAsGitHasThem) {
  const IgnoreList list(
      "# comment\n\n*.log\n!keep.log\n/top.txt\nbuild/\ndocs/*.md\n**/deep\nall/**\n\\#odd\r\n");
  EXPECT_TRUE(list.ignores("a.log", false));
  EXPECT_TRUE(list.ignores("x/y/a.log", false));
  EXPECT_FALSE(list.ignores("x/keep.log", false));
  EXPECT_TRUE(list.ignores("top.txt", false));
  EXPECT_FALSE(list.ignores("x/top.txt", false));
  EXPECT_TRUE(list.ignores("x/build", true));
  EXPECT_FALSE(list.ignores("build", false)) << "folders only";
  EXPECT_TRUE(list.ignores("docs/a.md", false));
  EXPECT_FALSE(list.ignores("docs/x/a.md", false));
  EXPECT_TRUE(list.ignores("x/deep", false));
  EXPECT_TRUE(list.ignores("all", true));
}

struct Folder : testing::Test {
  TempFolder temp;
  fs::path folder = temp.path() / "My Shop";

  void SetUp() override { fs::create_directories(folder); }
  void write(const std::string& name, const std::string& content = "x") const {
    fs::create_directories((folder / name).parent_path());
    std::ofstream(folder / name) << content;
  }
};

TEST_F(Folder, IsPackedWithoutWhatIsIgnored) {
  write("index.js");
  write(".git/config");
  write("notes.log");
  write("node_modules/a/index.js");
  write(".gitignore", "*.log\nnode_modules/\ndist/\n");
  write("dist/main.js");
  write("dist/chunk.js");
  EXPECT_EQ(files_to_pack(folder, {}), (Paths{".gitignore", "index.js", "node_modules/a/index.js"}));
  EXPECT_EQ(files_to_pack(folder, {"dist/main.js"}),
            (Paths{".gitignore", "dist/chunk.js", "dist/main.js", "index.js", "node_modules/a/index.js"}));
  write(".mayflyignore", "node_modules\n.*\n");
  EXPECT_EQ(files_to_pack(folder, {}), (Paths{"dist/chunk.js", "dist/main.js", "index.js", "notes.log"}));
}

TEST_F(Folder, LeavesOutPackagesThatTheDaemonInstalls) {
  write("index.js");
  write("package-lock.json", "{}");
  write("node_modules/a/index.js");
  write("lib/node_modules/b/index.js");
  EXPECT_EQ(files_to_pack(folder, {}),
            (Paths{"index.js", "lib/node_modules/b/index.js", "package-lock.json"}));
  EXPECT_EQ(files_to_pack(folder, {}, true), (Paths{"index.js", "lib/node_modules/b/index.js",
                                                    "node_modules/a/index.js", "package-lock.json"}));
}

TEST_F(Folder, TakesVendoredPackagesOfPythonAndNoneOfItsEnvironments) {
  write("main.py");
  write(".gitignore", "vendor/\nwheels\n");
  write("vendor/a/__init__.py");
  write("vendor/a/__pycache__/b.pyc");
  write("wheels/a.whl");
  write("env/pyvenv.cfg");
  write("env/bin/python");
  EXPECT_EQ(files_to_pack(folder, {}),
            (Paths{".gitignore", "main.py", "vendor/a/__init__.py", "wheels/a.whl"}));
}

TEST_F(Folder, UnpacksToTheSame) {
  write("a/b.js", "content");
  write("run.sh", "#!/bin/sh\n");
  fs::permissions(folder / "run.sh", fs::perms::owner_exec, fs::perm_options::add);
  fs::create_symlink("a/b.js", folder / "link.js");
  const auto package = pack(folder, {});
  ASSERT_TRUE(package) << package.error().message;
  EXPECT_EQ(package->files, 3U);
  const auto archive = temp.path() / "a.tar.gz";
  std::ofstream(archive) << package->bytes;
  const auto target = temp.path() / "out";
  fs::create_directory(target);
  const auto done = run({"tar", "-xzf", archive.string(), "-C", target.string()});
  ASSERT_TRUE(done && done->status.success()) << (done ? done->errors : done.error().message);
  std::ifstream stream(target / "a/b.js");
  std::string content;
  stream >> content;
  EXPECT_EQ(content, "content");
  EXPECT_EQ(fs::read_symlink(target / "link.js"), "a/b.js");
  EXPECT_NE(fs::status(target / "run.sh").permissions() & fs::perms::owner_exec, fs::perms::none);
  EXPECT_EQ(pack(folder, {})->bytes, package->bytes) << "the same content, the same bytes";
}

TEST_F(Folder, ThatIsEmptyIsAnError) { EXPECT_FALSE(pack(folder, {})); }

TEST_F(Folder, IsCalledAfterItsPackageOrItself) {
  EXPECT_EQ(find_project(folder, "")->functions, Paths{"my-shop"});
  write("package.json", R"({"name": "@scope/Cart", "main": "lib/../start.js"})");
  const auto project = find_project(folder, "");
  EXPECT_EQ(project->functions, Paths{"cart"});
  EXPECT_EQ(project->sources, Paths{"start.js"});
  EXPECT_EQ(find_project(folder, "other")->functions, Paths{"other"});
}

TEST_F(Folder, WithSeveralFunctionsDeploysAllOrTheOneThatIsNamed) {
  write("mayfly.toml", "[functions.one]\nsource = \"./one.js\"\n[functions.two]\n");
  EXPECT_EQ(find_project(folder, "")->functions, (Paths{"one", "two"}));
  EXPECT_EQ(find_project(folder, "")->sources, Paths{"one.js"});
  EXPECT_EQ(find_project(folder, "two")->functions, Paths{"two"});
  const auto mistyped = find_project(folder, "tow");
  ASSERT_FALSE(mistyped);
  EXPECT_NE(mistyped.error().message.find("did you mean 'two'?"), std::string::npos);
  write("mayfly.toml", "[functions.one\n");
  EXPECT_TRUE(find_project(folder, "").error().message.starts_with("mayfly.toml:1: "));
}

TEST_F(Folder, FilesAreCalledAfterThemselves) {
  write("Hello.World.js");
  write("site.tar.gz");
  EXPECT_EQ(find_project(folder / "Hello.World.js", "")->functions, Paths{"hello"});
  EXPECT_EQ(find_project(folder / "site.tar.gz", "")->functions, Paths{"site"});
  EXPECT_FALSE(find_project(folder / "nothing.js", ""));
}

}  // namespace
}  // namespace mayfly::cli
