#include "registry/bundle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "base/child.h"
#include "base/temp_folder.h"
#include "registry/error.h"
#include "registry/native_packages.h"

namespace mayfly::registry {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class BundleTest : public testing::Test {
 protected:
  void SetUp() override {
    if (std::string(MAYFLY_TEST_ESBUILD).empty()) GTEST_SKIP() << "esbuild is not installed";
  }
  void write(const std::string& path, const std::string& text) const {
    fs::create_directories((root() / path).parent_path());
    std::ofstream(root() / path) << text;
  }
  [[nodiscard]] fs::path root() const { return folder_.path() / "source"; }
  [[nodiscard]] Result<Bundle> build(const std::string& entry) const {
    return bundle(MAYFLY_TEST_ESBUILD, root(), entry);
  }
  /// What Node prints for `script`, in which `f` is the bundle.
  [[nodiscard]] std::string node(const Bundle& built, const std::string& script) const {
    const auto code = "import * as f from './" + built.entry + "';" + script;
    auto ran = run({"node", "--enable-source-maps", "--input-type=module", "-e", code}, {.cwd = root()});
    EXPECT_TRUE(ran);
    return ran->output + ran->errors;
  }

  TempFolder folder_;
};

TEST_F(BundleTest, TakesInWhatIsImported) {
  write("src/index.ts",
        "import { twice } from './lib';\nimport pkg from 'pkg';\nexport default (n: number): number => "
        "twice(n) + pkg.one;");
  write("src/lib.ts", "export const twice = (n: number) => 2 * n;");
  write("node_modules/pkg/package.json", R"({"name":"pkg","main":"main.js"})");
  write("node_modules/pkg/main.js",
        "exports.one = require('fs').existsSync(__filename) && __dirname ? 1 : 0;");
  const auto built = build("src/index.ts");
  ASSERT_TRUE(built) << built.error().message;
  EXPECT_EQ(built->entry, "src/index.mayfly.mjs");
  EXPECT_FALSE(fs::exists(root() / "node_modules"));
  EXPECT_FALSE(fs::exists(root() / ".mayfly-bundle.json"));
  EXPECT_EQ(node(*built, "console.log(f.default(4))"), "9\n");
}

TEST_F(BundleTest, OwnDeclarationsDoNotMeetTheOnesAdded) {
  write("a.ts",
        "import { createRequire } from 'node:module';\nimport { dirname } from 'node:path';\n"
        "const require = createRequire(import.meta.url);\nconst __dirname = dirname('/x/y');\n"
        "export default require('node:path').basename(__dirname) as string;");
  const auto built = build("a.ts");
  ASSERT_TRUE(built) << built.error().message;
  EXPECT_EQ(node(*built, "console.log(f.default)"), "x\n");
}

TEST_F(BundleTest, CommonJsStaysCommonJs) {
  write("a.cts",
        "import fs = require('fs');\nexport = { handler: async (e: object) => typeof fs.statSync };");
  const auto built = build("a.cts");
  ASSERT_TRUE(built) << built.error().message;
  EXPECT_EQ(built->entry, "a.mayfly.cjs");
  EXPECT_FALSE(fs::exists(root() / "a.mayfly.mjs"));
  EXPECT_EQ(node(*built, "console.log(await f.default.handler({}), 'handler' in f)"), "function true\n");
}

TEST_F(BundleTest, TopLevelAwaitAndJsxWork) {
  write(
      "a.tsx",
      "const h = (tag: string) => tag; const React = { createElement: h };\nawait 0;\nexport default <p/>;");
  const auto built = build("a.tsx");
  ASSERT_TRUE(built) << built.error().message;
  EXPECT_EQ(node(*built, "console.log(f.default)"), "p\n");
}

TEST_F(BundleTest, AnErrorAtRunTimeHasTheLineOfTheSource) {
  write("a.ts",
        "interface A {\n  b: number;\n}\n\nexport default (a?: A) => {\n  throw new Error('here');\n};");
  const auto built = build("a.ts");
  ASSERT_TRUE(built);
  EXPECT_THAT(node(*built, "try { f.default() } catch (e) { console.log(e.stack) }"), HasSubstr("a.ts:6:9"));
}

TEST_F(BundleTest, EveryDiagnosisIsInTheErrorTheFirstWithItsPlace) {
  write("a.ts", "import './lib';\nexport default 1;");
  write("lib.ts", "const a = 1;\n\nexport let = ;\n");
  auto built = build("a.ts");
  ASSERT_FALSE(built);
  EXPECT_EQ(built.error().code, RegistryErrc::syntax_error);
  EXPECT_EQ(built.error().detail("file"), "lib.ts");
  EXPECT_EQ(built.error().detail("line"), "3");

  write("a.ts", "import 'no-such-package';\nimport './nor-this';");
  built = build("a.ts");
  ASSERT_FALSE(built);
  EXPECT_EQ(built.error().code, RegistryErrc::build_failed);
  EXPECT_EQ(built.error().detail("line"), "1");
  EXPECT_EQ(built.error().detail("column"), "8");
  EXPECT_THAT(built.error().message, HasSubstr("a.ts:1:8: Could not resolve \"no-such-package\""));
  EXPECT_THAT(built.error().message, HasSubstr("a.ts:2:8: Could not resolve \"./nor-this\""));
}

TEST_F(BundleTest, NothingFromOutsideTheFolderGetsIn) {
  std::ofstream(folder_.path() / "secret.json") << R"({"token":"s3cret"})";
  write("a.ts", "import s from '../secret.json';\nexport default s;");
  const auto built = build("a.ts");
  ASSERT_FALSE(built);
  EXPECT_THAT(built.error().message, HasSubstr("../secret.json"));
  EXPECT_THAT(built.error().message, testing::Not(HasSubstr("s3cret")));
}

TEST_F(BundleTest, WhatTheMachineHasIsReadableAndRefused) {
  TempFolder beside(fs::path(MAYFLY_TEST_ESBUILD).parent_path());
  if (beside.path().empty()) GTEST_SKIP() << "esbuild's folder cannot be written to";
  ::chmod(beside.path().c_str(), 0755);
  std::ofstream(beside.path() / "a.json") << R"({"token":"s3cret"})";
  const auto path = (beside.path() / "a.json").string();
  for (const auto& import : {path, fs::path(path).lexically_relative(root()).string()}) {
    write("a.ts", "import s from '" + import + "';\nexport default s;");
    const auto built = build("a.ts");
    ASSERT_FALSE(built) << import;
    EXPECT_EQ(built.error().code, RegistryErrc::unsafe_path) << built.error().message;
    EXPECT_THAT(built.error().message, testing::Not(HasSubstr("s3cret")));
  }
}

TEST_F(BundleTest, FilesOfTheDaemonAloneAreNotRead) {
  if (::geteuid() != 0) GTEST_SKIP() << "the daemon's user is esbuild's";
  TempFolder beside(fs::path(MAYFLY_TEST_ESBUILD).parent_path());
  if (beside.path().empty()) GTEST_SKIP() << "esbuild's folder cannot be written to";
  std::ofstream(beside.path() / "mine.json") << R"({"token" s3cret})";
  ::chmod((beside.path() / "mine.json").c_str(), 0600);
  ::chmod(beside.path().c_str(), 0755);
  write("a.ts", "import s from '" + (beside.path() / "mine.json").string() + "';\nexport default s;");
  const auto built = build("a.ts");
  ASSERT_FALSE(built);
  EXPECT_THAT(built.error().message,
              testing::AnyOf(HasSubstr("permission denied"), HasSubstr("Could not resolve")));
}

TEST_F(BundleTest, APackageWithNativeCodeStaysOutside) {
  write("a.ts", "import pkg from 'native/sub';\nexport default pkg as string;");
  write("node_modules/native/package.json", R"({"name":"native","gypfile":true})");
  write("node_modules/native/sub.js", "module.exports = 'from ' + require('path').basename(__dirname);");
  const auto built = build("a.ts");
  ASSERT_TRUE(built) << built.error().message;
  EXPECT_TRUE(fs::exists(root() / "node_modules/native/sub.js"));
  write("a.ts", "import pkg from 'native/sub.js';\nexport default pkg as string;");
  EXPECT_EQ(node(*build("a.ts"), "console.log(f.default)"), "from native\n");
}

TEST(Bundle, AnEsbuildThatHangsOrIsMissingIsATypedError) {
  const TempFolder folder;
  std::ofstream(folder.path() / "a.ts") << "export default 1";
  const auto fake = folder.path() / "esbuild";
  std::ofstream(fake) << "#!/bin/sh\nexec sleep 100\n";
  ::chmod(fake.c_str(), 0755);
  const auto hanging = bundle(fake, folder.path(), "a.ts", {.limit = std::chrono::milliseconds(30)});
  ASSERT_FALSE(hanging);
  EXPECT_EQ(hanging.error().code, RegistryErrc::build_failed);
  EXPECT_THAT(hanging.error().message, HasSubstr("30ms"));
  const auto missing = bundle("/no/esbuild", folder.path(), "a.ts");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, RegistryErrc::build_failed);
  std::ofstream(fake) << "#!/bin/sh\necho strange >&2; exit 3\n";
  const auto strange = bundle(fake, folder.path(), "a.ts");
  ASSERT_FALSE(strange);
  EXPECT_THAT(strange.error().message, HasSubstr("exit code 3: strange"));
}

TEST(NativePackages, AreFoundByTheirManifests) {
  const TempFolder folder;
  const auto package = [&](const std::string& name, const std::string& manifest) {
    fs::create_directories(folder.path() / name);
    std::ofstream(folder.path() / name / "package.json") << manifest;
  };
  package("plain", R"({"dependencies":{"gyp":"1"}})");
  package("gyp", R"({"gypfile":true})");
  package("@scope/loader", R"({"dependencies":{"node-gyp-build":"1"}})");
  package("@scope/plain", "{}");
  package("main", R"({"main":"x.node"})");
  package("broken", "{");
  package(".bin", R"({"gypfile":true})");
  fs::create_directories(folder.path() / "pipe");
  ASSERT_EQ(::mkfifo((folder.path() / "pipe/package.json").c_str(), 0600), 0);
  package("deep", R"({"gypfile":true,"a":)" + std::string(200'000, '[') + std::string(200'000, ']') + "}");
  fs::create_directories(folder.path() / "binding");
  std::ofstream(folder.path() / "binding/binding.gyp") << "{}";
  EXPECT_THAT(native_packages(folder.path()), ElementsAre("@scope/loader", "binding", "gyp", "main"));
  EXPECT_THAT(native_packages(folder.path() / "missing"), ElementsAre());
}

TEST(FindEsbuild, PrefersTheSettingThenTheNativeProgram) {
  const TempFolder folder;
  EXPECT_EQ(find_esbuild(folder.path(), ""), fs::path());
  EXPECT_EQ(find_esbuild(folder.path(), "/x/esbuild"), fs::path("/x/esbuild"));
  fs::create_directories(folder.path() / "node_modules/.bin");
  std::ofstream(folder.path() / "node_modules/.bin/esbuild") << "";
  ::chmod((folder.path() / "node_modules/.bin/esbuild").c_str(), 0755);
  EXPECT_EQ(find_esbuild(folder.path(), ""), folder.path() / "node_modules/.bin/esbuild");
}

}  // namespace
}  // namespace mayfly::registry
