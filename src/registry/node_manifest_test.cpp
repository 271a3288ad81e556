#include "registry/node_manifest.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/temp_folder.h"
#include "registry/error.h"

namespace mayfly::registry {
namespace {

namespace fs = std::filesystem;

struct NodeManifestTest : testing::Test {
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((folder.path() / name).parent_path());
    std::ofstream(folder.path() / name) << text;
  }
  [[nodiscard]] Result<NodeManifest> read(const std::string& entry = "index.js") const {
    return read_node_manifest(folder.path(), entry);
  }
  TempFolder folder;
};

constexpr const char* kPackage = R"({"version": "1", "scripts": {"x": "y"}, "dependencies": {"a": "1"}})";

TEST_F(NodeManifestTest, NothingIsToBeInstalledWithoutDependenciesOrWithNodeModules) {
  EXPECT_TRUE(read()->package.is_null());
  write("package.json", R"({"dependencies": {}, "devDependencies": {"a": "1"}})");
  EXPECT_TRUE(read()->package.is_null());
  write("package.json", kPackage);
  EXPECT_FALSE(read()->package.is_null());
  write("node_modules/a/index.js", "");
  EXPECT_TRUE(read()->package.is_null());
}

TEST_F(NodeManifestTest, WhatConcernsNoInstallationIsLeftOut) {
  write("package.json", kPackage);
  write("package-lock.json", "{}");
  const auto manifest = read();
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ(manifest->package.dump(), R"({"dependencies":{"a":"1"}})");
  EXPECT_EQ(manifest->lock_name, "package-lock.json");
  write("npm-shrinkwrap.json", "{}");
  EXPECT_EQ(read()->lock_name, "npm-shrinkwrap.json") << "as npm has it";
}

TEST_F(NodeManifestTest, OneThatNestsAsDeepAsNoPackageDoesIsRefused) {
  const auto nested = [](std::size_t levels) {
    std::string text = R"({"dependencies":{"a":"1"},"overrides":)";
    for (std::size_t i = 0; i < levels; ++i) text += R"({"a":)";
    return text + "1" + std::string(levels, '}') + "}";
  };
  write("package-lock.json", "{}");
  write("package.json", nested(90));
  EXPECT_TRUE(read());
  write("package.json", nested(200'000));
  EXPECT_EQ(read().error().code, RegistryErrc::bad_config);
}

TEST_F(NodeManifestTest, AWorkspaceIsInstalledWhereItsLockFileIs) {
  write("package.json", R"({"workspaces": ["packages/*"]})");
  write("package-lock.json", R"({"packages": {"": {}, "packages/api": {"dependencies": {"lib": "*"}},
    "packages/lib": {}, "node_modules/lib": {"resolved": "packages/lib", "link": true}}})");
  write("packages/api/package.json", R"({"dependencies": {"lib": "*"}})");
  const auto manifest = read("packages/api/index.js");
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ(manifest->folder, "");
  EXPECT_EQ(manifest->local, (std::vector<fs::path>{"packages/api", "packages/lib"}));
}

TEST_F(NodeManifestTest, APackageOutsideOfTheUploadIsRefused) {
  write("package.json", R"({"dependencies": {"shared": "file:../shared"}})");
  ASSERT_FALSE(read());
  EXPECT_EQ(read().error().code, RegistryErrc::build_failed);
  EXPECT_TRUE(read().error().message.contains("../shared"));
}

TEST_F(NodeManifestTest, PackagesFromRepositoriesAreNoticed) {
  write("package-lock.json", R"({"packages": {}})");
  write("package.json", kPackage);
  EXPECT_EQ(read()->own_terms, "");
  write("package.json", R"({"dependencies": {"a": "github:somebody/a"}})");
  EXPECT_NE(read()->own_terms, "");
}

TEST_F(NodeManifestTest, LockFilesOfOtherToolsAndBrokenOnesAreRefused) {
  write("package.json", kPackage);
  write("yarn.lock", "");
  ASSERT_FALSE(read());
  EXPECT_TRUE(read().error().message.contains("yarn.lock"));
  write("package-lock.json", "{");
  ASSERT_FALSE(read());
  EXPECT_EQ(read().error().code, RegistryErrc::bad_config);
  EXPECT_EQ(read().error().detail("file"), "package-lock.json");
}

}  // namespace
}  // namespace mayfly::registry
