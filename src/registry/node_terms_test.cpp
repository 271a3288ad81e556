#include "registry/node_terms.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/temp_folder.h"

namespace mayfly::registry {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kRegistry = "https://registry.example.org/npm";

/// What is installed if one dependency and one entry of the lock file are like this.
std::string terms(const std::string& spec, const json& entry = json::object(),
                  const std::string& npmrc = "") {
  NodeManifest manifest;
  manifest.package = {{"dependencies", {{"a", spec}}}};
  manifest.lock_name = "package-lock.json";
  manifest.npmrc = npmrc;
  return own_terms("/nowhere", manifest, {{"packages", {{"node_modules/a", entry}}}});
}

json resolved(const std::string& url) { return {{"resolved", url}}; }

TEST(NodeTerms, PackagesOfTheRegistryAreTheServersBusiness) {
  for (const char* spec :
       {"1", "^1.2.3-rc.1+x", "~1 || >=2 <3", "*", "", "latest", "npm:b@^1", "npm:@s/b@1.x", "1 - 2"})
    EXPECT_EQ(terms(spec), "") << spec;
  EXPECT_EQ(terms("1", resolved("https://registry.npmjs.org/@s/b/-/b-1.0.0.tgz")), "");
}

TEST(NodeTerms, APackageFromElsewhereIsNot) {
  for (const char* spec :
       {"github:a/b", "a/b", "git+ssh://git@example.org/a.git", "git@github.com:a/b.git",
        "https://example.org/a.tgz", "gist:1", "a.tgz", "../a", "http:a", "npm:b@github:a/b"})
    EXPECT_NE(terms(spec), "") << spec;
  for (const char* url :
       {"git+ssh://git@github.com/a/b.git#1", "https://github.com/a/b", "https://GitHub.com/a/b.tgz",
        "https://x@github.com/a/b.tgz", "https://example.org/a.git", "https://example.org/a.tgz#x"})
    EXPECT_NE(terms("1", resolved(url)), "") << url;
  EXPECT_NE(terms("1", {{"dependencies", {{"b", "github:a/b"}}}}), "");
  EXPECT_NE(terms("1", {{"hasShrinkwrap", true}}), "");
  NodeManifest manifest;
  manifest.package = {{"overrides", {{"b", {{"c", "github:a/b"}}}}}};
  manifest.lock_name = "package-lock.json";
  EXPECT_NE(own_terms("/nowhere", manifest, {{"packages", json::object()}}), "");
  EXPECT_NE(own_terms("/nowhere", manifest, {{"dependencies", json::object()}}), "") << "lockfileVersion 1";
}

TEST(NodeTerms, WithoutALockFileNobodyKnows) {
  NodeManifest manifest;
  manifest.package = {{"dependencies", {{"a", "1"}}}};
  EXPECT_EQ(own_terms("/nowhere", manifest, {}), "it has no lock file");
}

TEST(NodeTerms, PackagesOfTheDeploymentAreReadAsWell) {
  const TempFolder root;
  NodeManifest manifest;
  manifest.package = {{"dependencies", {{"a", "file:a"}}}};
  manifest.lock_name = "package-lock.json";
  manifest.local = {"a"};
  fs::create_directory(root.path() / "a");
  const json lock = {
      {"packages", {{"a", json::object()}, {"node_modules/a", {{"resolved", "a"}, {"link", true}}}}}};
  EXPECT_NE(own_terms(root.path(), manifest, lock), "");
  std::ofstream(root.path() / "a/package.json") << R"({"dependencies": {"b": "^1"}})";
  EXPECT_EQ(own_terms(root.path(), manifest, lock), "");
  std::ofstream(root.path() / "a/package.json") << R"({"dependencies": {"b": "x/y"}})";
  EXPECT_NE(own_terms(root.path(), manifest, lock), "");
}

TEST(NodeTerms, SettingsThatAreHarmless) {
  EXPECT_EQ(npmrc_terms("# a\n; b\n\nsave-exact = true\r\nfund=false\n", kRegistry), "");
  EXPECT_EQ(npmrc_terms("//registry.example.org/npm/:_authToken=${NPM_TOKEN}", kRegistry), "");
}

TEST(NodeTerms, SettingsThatAreNot) {
  for (const char* line :
       {"proxy=http://example.org", "registry=http://example.org", "strict-ssl=false", "git=./x",
        "script-shell=./x", "node-options=-r ./x", "@s:registry=http://example.org", "cafile=./x",
        "fund=${NPM_TOKEN}", "//example.org/:_authToken=${NPM_TOKEN}", "[fund]", "fund=no\rproxy=x",
        "//registry.example.org/npm/:_authToken=mine", "cache=/x", "ignore-scripts=false"})
    EXPECT_NE(npmrc_terms(std::string("fund=false\n") + line, kRegistry), "") << line;
  EXPECT_EQ(terms("1", {}, "proxy=http://example.org\n"), "its .npmrc sets 'proxy'");
}

TEST(NodeTerms, CredentialsAreLeftOut) {
  EXPECT_EQ(
      without_credentials("registry=https://example.org\n//example.org/:_authToken=x\n_auth=x\n"
                          "_password=x\nproxy=http://me:secret@example.org\nkey=x\nemail=${X}\nfund=false"),
      "registry=https://example.org\nfund=false\n");
}

}  // namespace
}  // namespace mayfly::registry
