#include "registry/deploy.h"

#include <archive.h>
#include <archive_entry.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fstream>
#include <functional>
#include <optional>
#include <sstream>

#include "base/temp_folder.h"
#include "store/faulty_vfs_test_support.h"

namespace mayfly::registry {
namespace {

namespace asio = boost::asio;
constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

constexpr const char* kModule = "export default { fetch() { return new Response('hi') } }\n";

std::string text_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

/// A platform whose answer to prepare() the test decides; it may be held back.
class FakePlatform final : public Platform {
 public:
  asio::awaitable<Result<void>> prepare(VersionPtr version) override {
    prepared.push_back(version);
    ++running;
    most_running = std::max(most_running, running);
    if (hold) co_await hold->async_wait(kAsTuple);
    --running;
    if (on_prepare) co_return on_prepare(*version);
    co_return Result<void>{};
  }
  void publish(const std::string& name, FunctionPtr function) override {
    published.emplace_back(name, function ? function->traffic.weights.rbegin()->first : 0);
  }

  std::function<Result<void>(const Version&)> on_prepare;
  std::optional<asio::steady_timer> hold;
  std::vector<VersionPtr> prepared;
  std::vector<std::pair<std::string, std::uint32_t>> published;
  int running = 0;
  int most_running = 0;
};

class DeployTest : public testing::Test {
 protected:
  void start(const std::string& vfs = {}, DeployOptions options = {}) {
    auto opened = Registry::open({.data = data(), .clock = nullptr, .vfs = vfs});
    ASSERT_TRUE(opened) << opened.error().message;
    registry_ = std::move(*opened);
    registry_->attach(platform_);
    options.esbuild = MAYFLY_TEST_ESBUILD;
    deployer_ = std::make_unique<Deployer>(io_.get_executor(), *registry_, platform_, options);
  }
  void SetUp() override { start(); }

  /// Starts a deploy; its result appears when the io_context has run.
  std::shared_ptr<std::optional<Result<Deployed>>> begin(DeployRequest request) {
    auto result = std::make_shared<std::optional<Result<Deployed>>>();
    asio::co_spawn(io_, deployer_->deploy(std::move(request)),
                   [result](const std::exception_ptr& thrown, Result<Deployed> done) {
                     if (thrown) std::rethrow_exception(thrown);
                     *result = std::move(done);
                   });
    return result;
  }
  Result<Deployed> deploy(DeployRequest request) {
    const auto result = begin(std::move(request));
    io_.restart();
    io_.run();
    EXPECT_TRUE(result->has_value());
    return std::move(**result);
  }
  static DeployRequest source(const std::string& text, const std::string& file = "hello.js") {
    return {.name = "hello", .file_name = file, .body = text};
  }
  /// A deploy of a folder as a tar.gz.
  [[nodiscard]] DeployRequest folder(const std::vector<std::pair<std::string, std::string>>& files) const {
    const auto file = folder_.path() / "in.tgz";
    auto* writer = archive_write_new();
    archive_write_set_format_pax_restricted(writer);
    archive_write_add_filter_gzip(writer);
    archive_write_open_filename(writer, file.c_str());
    for (const auto& [path, text] : files) {
      auto* entry = archive_entry_new();
      archive_entry_set_pathname(entry, path.c_str());
      archive_entry_set_filetype(entry, AE_IFREG);
      archive_entry_set_perm(entry, 0644);
      archive_entry_set_size(entry, static_cast<la_int64_t>(text.size()));
      archive_write_header(writer, entry);
      archive_write_data(writer, text.data(), text.size());
      archive_entry_free(entry);
    }
    archive_write_close(writer);
    archive_write_free(writer);
    return {.name = "hello", .file_name = "in.tgz", .body = text_of(file)};
  }
  [[nodiscard]] fs::path data() const { return folder_.path() / "data"; }
  [[nodiscard]] std::size_t count(const char* what) const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(data() / what), {}));
  }
  void expect_nothing_left(std::size_t sources) const {
    EXPECT_EQ(count("sources"), sources);
    EXPECT_EQ(count("staging"), 0U);
  }

  TempFolder folder_;
  asio::io_context io_;
  FakePlatform platform_;
  std::unique_ptr<Registry> registry_;
  std::unique_ptr<Deployer> deployer_;
};

TEST_F(DeployTest, OneFileIsAWholeDeployment) {
  auto request = source(kModule);
  request.settings = {"timeout=5s", "env.A=b"};
  const auto done = deploy(request);
  ASSERT_TRUE(done) << done.error().message;
  const auto& version = *done->version;
  EXPECT_EQ(version.address(), "hello@1");
  EXPECT_EQ(version.entry, "hello.js");
  EXPECT_EQ(version.runtime, Runtime::node);
  EXPECT_EQ(version.config.timeout, std::chrono::seconds(5));
  EXPECT_EQ(version.config.env.at("A"), "b");
  EXPECT_EQ(text_of(version.root / "hello.js"), kModule);
  EXPECT_EQ(text_of(version.root / "package.json"), "{\"type\":\"module\"}\n");
  EXPECT_FALSE(done->unchanged);
  EXPECT_THAT(done->warnings, ElementsAre());
  EXPECT_THAT(platform_.prepared, ElementsAre(done->version));
  EXPECT_THAT(platform_.published, ElementsAre(Pair("hello", 1)));
  EXPECT_EQ(registry_->find("hello"), done->function);
  expect_nothing_left(1);
}

TEST_F(DeployTest, ACommonJsFileIsDeclaredAsSuch) {
  const auto done = deploy(source("exports.handler = async () => 1"));
  ASSERT_TRUE(done);
  EXPECT_EQ(text_of(done->version->root / "package.json"), "{\"type\":\"commonjs\"}\n");
}

TEST_F(DeployTest, TheBodyMayBeInAFile) {
  std::ofstream(folder_.path() / "upload") << kModule;
  const auto done =
      deploy({.name = "hello", .file_name = "x.mjs", .body = {}, .body_file = folder_.path() / "upload"});
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(text_of(done->version->root / "x.mjs"), kModule);
  EXPECT_TRUE(fs::exists(folder_.path() / "upload"));
}

TEST_F(DeployTest, TheSameAgainChangesNothingAndAnythingElseIsANewVersion) {
  ASSERT_TRUE(deploy(source(kModule)));
  const auto again = deploy(source(kModule));
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->unchanged);
  EXPECT_EQ(again->version->number, 1U);
  EXPECT_EQ(platform_.prepared.size(), 1U);
  auto other_setting = source(kModule);
  other_setting.settings = {"timeout=5s"};
  EXPECT_EQ(deploy(other_setting)->version->number, 2U);
  EXPECT_EQ(deploy(source(kModule + std::string(" ")))->version->number, 3U);
  EXPECT_EQ(deploy(source(kModule, "other.js"))->version->number, 4U);
  EXPECT_EQ(deploy(source(kModule))->version->number, 5U) << "older than the newest: a new version";
  expect_nothing_left(3);
}

TEST_F(DeployTest, WhatWasDeployedLastServesUnlessTrafficIsToBeKept) {
  ASSERT_TRUE(deploy(source("export default 1")));
  ASSERT_TRUE(deploy(source("export default 2")));
  ASSERT_TRUE(registry_->rollback("hello", 1));
  auto kept = source("export default 2");
  kept.keep_traffic = true;
  EXPECT_THAT(deploy(kept)->function->traffic.weights, ElementsAre(Pair(1, 100)));
  const auto unchanged = deploy(source("export default 2"));
  EXPECT_TRUE(unchanged->unchanged);
  EXPECT_THAT(unchanged->function->traffic.weights, ElementsAre(Pair(2, 100)));
  kept.body = "export default 3";
  EXPECT_THAT(deploy(kept)->function->traffic.weights, ElementsAre(Pair(2, 100)));
  EXPECT_THAT(deploy(source("export default 4"))->function->traffic.weights, ElementsAre(Pair(4, 100)));
}

TEST_F(DeployTest, AFunctionAndAnUpstreamDoNotTakeEachOthersName) {
  auto upstream = source("", "upstream");
  upstream.settings = {"upstream=http://127.0.0.1:9/"};
  ASSERT_TRUE(deploy(source(kModule)));
  const auto refused = deploy(upstream);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, RegistryErrc::other_kind);
  EXPECT_THAT(refused.error().message, HasSubstr("'hello' is a function (hello@1 serves)"));
  EXPECT_EQ(registry_->next_number("hello"), 2U);
  expect_nothing_left(1);
  ASSERT_TRUE(registry_->remove("hello"));
  ASSERT_TRUE(deploy(upstream)) << "the name is free";
  upstream.settings = {"upstream=http://127.0.0.1:10/"};
  ASSERT_TRUE(deploy(upstream)) << "another version of it";
  EXPECT_EQ(deploy(source(kModule)).error().code, RegistryErrc::other_kind);
}

TEST_F(DeployTest, ARefusedTemplateChangesNothing) {
  ASSERT_TRUE(deploy(source("export default 1")));
  const auto before = registry_->find("hello");
  platform_.on_prepare = [](const Version& version) -> Result<void> {
    EXPECT_TRUE(fs::exists(version.root / version.entry));
    auto error = fail(RegistryErrc::init_failed, "thrown at start");
    error.error().with("line", "7");
    return error;
  };
  auto second = source("export default 2");
  second.settings = {"class=background"};
  const auto refused = deploy(second);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, RegistryErrc::init_failed);
  EXPECT_EQ(refused.error().detail("line"), "7");
  EXPECT_THAT(std::string(refused.error().detail("warnings")), HasSubstr("class"));
  EXPECT_EQ(registry_->find("hello"), before);
  expect_nothing_left(1);
  platform_.on_prepare = nullptr;
  EXPECT_EQ(deploy(source("export default 2"))->version->number, 2U);
}

TEST_F(DeployTest, PackagesThatAnExecutableNamesAreNotPassedOver) {
  const std::vector<std::pair<std::string, std::string>> run{{"run", "#!/usr/bin/env python3\n"}};
  const auto warnings = [&](std::vector<std::pair<std::string, std::string>> more) {
    more.insert(more.end(), run.begin(), run.end());
    const auto done = deploy(folder(more));
    EXPECT_TRUE(done) << done.error().message;
    return done ? done->warnings : std::vector<std::string>();
  };
  EXPECT_THAT(warnings({{"requirements.txt", "six\n"}}),
              ElementsAre(HasSubstr("pip install -t . -r requirements.txt")));
  EXPECT_THAT(warnings({{"requirements.txt", "six\n"}, {"six-1.0.dist-info/METADATA", ""}}), ElementsAre());
  EXPECT_THAT(warnings({{"package.json", R"({"dependencies": {"a": "1"}})"}}),
              ElementsAre(HasSubstr("node_modules")));
  EXPECT_THAT(warnings({{"package.json", R"({"dependencies": {}})"}}), ElementsAre());
  EXPECT_THAT(warnings({}), ElementsAre());
}

TEST_F(DeployTest, AnInterpreterThatIsNotWhatTheSourceAsksForIsSaid) {
  const auto program = folder_.path() / "interpreter";
  std::ofstream(program) << "#!/bin/sh\necho Language v18.2.1\n";
  fs::permissions(program, fs::perms(0755));
  DeployOptions options;
  options.interpreter = [&](Runtime, const FunctionConfig&) -> Result<std::string> {
    return program.string();
  };
  deployer_.reset();
  registry_.reset();
  start({}, options);
  const auto warnings = [&](const std::string& entry, const std::string& file, const std::string& text) {
    const auto done = deploy(folder({{entry, kModule}, {file, text}}));
    EXPECT_TRUE(done) << done.error().message;
    return done ? done->warnings : std::vector<std::string>();
  };
  EXPECT_THAT(
      warnings("index.js", "package.json", R"({"engines": {"node": ">=20"}})"),
      ElementsAre("engines.node of package.json asks for >=20, and the function runs on Node 18.2.1: name "
                  "another one (interpreter)"));
  EXPECT_THAT(warnings("index.js", "package.json", R"({"engines": {"node": ">=18"}})"), ElementsAre());
  EXPECT_THAT(warnings("index.js", "package.json", R"({"engines": {"node": "lts/hydrogen"}})"),
              ElementsAre());
  EXPECT_THAT(warnings("app.py", "pyproject.toml", "[project]\nrequires-python = '>=19,<20'\n"),
              ElementsAre(HasSubstr("requires-python of pyproject.toml asks for >=19,<20")));
  EXPECT_THAT(warnings("app.py", ".python-version", "18.3.5\n"),
              ElementsAre(HasSubstr(".python-version asks for 18.3,")));
  EXPECT_THAT(warnings("app.py", ".python-version", "18.2.5\n"), ElementsAre());
  EXPECT_THAT(warnings("app.py", ".python-version", "pypy3.10\n"), ElementsAre());
}

TEST_F(DeployTest, AFailedDeployKeepsASourceThatAnotherVersionHas) {
  ASSERT_TRUE(deploy(source("export default 1")));
  platform_.on_prepare = [](const Version&) -> Result<void> { return fail(RegistryErrc::init_failed, "no"); };
  auto same_source = source("export default 1");
  same_source.name = "other";
  ASSERT_FALSE(deploy(same_source));
  expect_nothing_left(1);
  EXPECT_FALSE(registry_->find("other"));
}

TEST_F(DeployTest, AFullDiskAtTheCommitChangesNothing) {
  deployer_.reset();
  registry_.reset();
  store::FaultyVfs disk;
  start(store::FaultyVfs::kName);
  ASSERT_TRUE(deploy(source("export default 1")));
  disk.fail_writes_after(0);
  const auto refused = deploy(source("export default 2"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, store::StoreErrc::full);
  expect_nothing_left(1);
  EXPECT_EQ(registry_->find("hello")->versions.size(), 1U);
  disk.fail_writes_after(-1);
  EXPECT_TRUE(deploy(source("export default 2")));
  deployer_.reset();
  registry_.reset();
}

TEST_F(DeployTest, ADiskThatCannotSyncRefusesTheDeploy) {
  ASSERT_TRUE(deploy(source("export default 1")));
  registry_->sources().replace_sync(
      [](const std::string&) -> Result<void> { return fail_errno("sync", EIO); });
  const auto refused = deploy(source("export default 2"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, std::errc::io_error);
  EXPECT_EQ(registry_->find("hello")->versions.size(), 1U);
  expect_nothing_left(1);
}

TEST_F(DeployTest, APlatformThatThrowsLeavesNothingHalfDone) {
  platform_.on_prepare = [](const Version&) -> Result<void> { throw std::runtime_error("bug"); };
  begin(source("export default 1"));
  EXPECT_THROW(io_.run(), std::runtime_error);
  EXPECT_FALSE(registry_->find("hello"));
  platform_.on_prepare = nullptr;
  EXPECT_TRUE(deploy(source("export default 1"))) << "the turn was given back";
}

TEST_F(DeployTest, DeploysOfOneFunctionWaitForEachOtherOthersDoNot) {
  platform_.hold.emplace(io_, asio::steady_timer::time_point::max());
  std::vector<std::shared_ptr<std::optional<Result<Deployed>>>> results;
  for (int i = 0; i < 4; ++i) results.push_back(begin(source("export default " + std::to_string(i))));
  auto other = source("export default 0");
  other.name = "other";
  results.push_back(begin(other));
  while (platform_.prepared.size() < 2) io_.run_one();
  for (int i = 0; i < 4 && io_.poll() > 0; ++i) {
  }
  EXPECT_EQ(platform_.running, 2);
  platform_.hold->expires_at(asio::steady_timer::time_point::min());
  io_.run();
  EXPECT_EQ(platform_.most_running, 2);
  for (std::uint32_t i = 0; i < 4; ++i) {
    ASSERT_TRUE(results[i]->has_value() && **results[i]);
    EXPECT_EQ((**results[i])->version->number, i + 1) << "in order of arrival";
  }
  EXPECT_EQ((**results[4])->version->address(), "other@1");
}

TEST_F(DeployTest, AFolderIsConfiguredByItsToml) {
  const auto done =
      deploy(folder({{"mayfly.toml",
                      "[functions.hello]\nsource = \"fn/a.js\"\ntimeout = \"3s\"\nsecrets = [\"KEY\"]\n"
                      "[functions.other]\nsource = \"fn/b.js\"\n"},
                     {"fn/a.js", kModule},
                     {"fn/b.js", kModule}}));
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->version->entry, "fn/a.js");
  EXPECT_EQ(done->version->config.timeout, std::chrono::seconds(3));
  ASSERT_EQ(done->version->config.secrets.size(), 1U);
  EXPECT_EQ(done->version->config.secrets[0].name, "KEY");
  EXPECT_THAT(done->warnings, ElementsAre());
}

TEST_F(DeployTest, SettingsWinOverTheToml) {
  auto request = folder({{"mayfly.toml", "[functions.hello]\ntimeout = \"3s\"\n"}, {"index.js", kModule}});
  request.settings = {"timeout=4s"};
  EXPECT_EQ(deploy(request)->version->config.timeout, std::chrono::seconds(4));
  request.settings = {"min_instances=65"};
  EXPECT_EQ(deploy(request).error().code, RegistryErrc::bad_config);
}

TEST_F(DeployTest, TheEntryIsFound) {
  const std::vector<std::pair<std::vector<std::pair<std::string, std::string>>, std::string>> cases{
      {{{"index.js", kModule}, {"a.js", ""}}, "index.js"},
      {{{"package.json", R"({"main":"./lib/main.js"})"}, {"lib/main.js", kModule}, {"index.js", ""}},
       "lib/main.js"},
      {{{"package.json", R"({"main":"lib"})"}, {"lib/index.cjs", ""}}, "lib/index.cjs"},
      {{{"package.json", R"({"main":"dist/not-built.js"})"}, {"src/index.mjs", kModule}}, "src/index.mjs"},
      {{{"only.mjs", kModule}, {"types.d.ts", ""}, {"data.json", "{}"}}, "only.mjs"},
      {{{"package/index.js", kModule}, {"package/package.json", "{}"}}, "index.js"},
      {{{"mayfly.toml", "[functions.x]\nsource = \"fn\"\n"}, {"fn/index.js", kModule}, {"index.js", ""}},
       "fn/index.js"}};
  for (const auto& [files, entry] : cases) {
    const auto done = deploy(folder(files));
    ASSERT_TRUE(done) << entry << ": " << done.error().message;
    EXPECT_EQ(done->version->entry, entry);
  }
}

TEST_F(DeployTest, APackageJsonIsLeftAsItIs) {
  const auto done = deploy(folder({{"package.json", R"({"name":"x"})"}, {"index.js", kModule}}));
  ASSERT_TRUE(done);
  EXPECT_EQ(text_of(done->version->root / "package.json"), R"({"name":"x"})");
}

TEST_F(DeployTest, WhatCannotBeDeployedIsATypedErrorAndLeavesNothing) {
  const auto code = [&](DeployRequest request) {
    const auto done = deploy(std::move(request));
    EXPECT_FALSE(done);
    expect_nothing_left(0);
    return done ? std::error_code() : done.error().code;
  };
  auto bad_name = source(kModule);
  bad_name.name = "../x";
  EXPECT_EQ(code(bad_name), RegistryErrc::bad_name);
  EXPECT_EQ(code(source(kModule, "hello.rb")), RegistryErrc::unsupported_source);
  EXPECT_EQ(code(source(kModule, "")), RegistryErrc::unsupported_source);
  EXPECT_EQ(code(source(kModule, "../hello.js")), RegistryErrc::unsafe_path);
  EXPECT_EQ(code(source("\x1f\x8b damaged", "x.tgz")), RegistryErrc::bad_archive);
  EXPECT_EQ(code(folder({{"../index.js", kModule}})), RegistryErrc::unsafe_path);
  EXPECT_EQ(code(folder({{"README.md", "x"}, {"a.js", ""}, {"b.js", ""}})), RegistryErrc::no_entry);
  EXPECT_EQ(code(folder({{"index.js", kModule}, {"package.json", "{"}})), RegistryErrc::bad_config);
  EXPECT_EQ(code(folder({{"index.js", kModule}, {"mayfly.toml", "x = 1"}})), RegistryErrc::bad_config);
  EXPECT_EQ(code(folder({{"mayfly.toml", "[functions.a]\n[functions.b]\n"}, {"index.js", kModule}})),
            RegistryErrc::bad_config);
  EXPECT_EQ(code(folder({{"mayfly.toml", "[functions.a]\nsource=\"x.js\"\n"}, {"index.js", kModule}})),
            RegistryErrc::no_entry);
  EXPECT_EQ(code(folder({{"mayfly.toml", "[functions.a]\nsource=\"x.rb\"\n"}, {"x.rb", ""}})),
            RegistryErrc::unsupported_source);
  auto bad_setting = source(kModule);
  bad_setting.settings = {"timout=1s"};
  EXPECT_EQ(code(bad_setting), RegistryErrc::bad_config);
  EXPECT_TRUE(platform_.prepared.empty());
}

TEST_F(DeployTest, ACrashBeforeTheCommitLeavesNothingAfterTheNextStart) {
  platform_.hold.emplace(io_, asio::steady_timer::time_point::max());
  const auto never = begin(source(kModule));
  while (platform_.prepared.empty()) io_.run_one();
  EXPECT_EQ(count("sources"), 1U);
  // What a killed daemon leaves: the folder as it is now, found by another one.
  const auto copy = folder_.path() / "copy";
  fs::copy(data(), copy, fs::copy_options::recursive);
  auto next = Registry::open({.data = copy});
  ASSERT_TRUE(next) << next.error().message;
  EXPECT_TRUE((*next)->list().empty());
  EXPECT_TRUE(fs::is_empty(copy / "sources"));
  platform_.hold->expires_at(asio::steady_timer::time_point::min());
  io_.run();
  EXPECT_TRUE(never->has_value());
}

TEST_F(DeployTest, TypeScriptWithoutEsbuildSaysWhatIsMissing) {
  deployer_ = std::make_unique<Deployer>(io_.get_executor(), *registry_, platform_);
  const auto refused = deploy(source("export default 1 as number", "a.ts"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, RegistryErrc::build_failed);
  EXPECT_THAT(refused.error().message, HasSubstr("npm install esbuild"));
}

TEST_F(DeployTest, TypeScriptIsBuilt) {
  if (std::string(MAYFLY_TEST_ESBUILD).empty()) GTEST_SKIP() << "esbuild is not installed";
  const auto done = deploy(source("const n: number = 1; export default { fetch: () => n }", "a.ts"));
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->version->entry, "a.mayfly.mjs");
  EXPECT_TRUE(fs::exists(done->version->root / "a.ts"));
  EXPECT_TRUE(deploy(source("const n: number = 1; export default { fetch: () => n }", "a.ts"))->unchanged);
  const auto broken = deploy(source("export default {\n  fetch(: 1\n}", "a.ts"));
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code, RegistryErrc::syntax_error);
  EXPECT_EQ(broken.error().detail("file"), "a.ts");
  EXPECT_EQ(broken.error().detail("line"), "2");
  EXPECT_EQ(broken.error().detail("column"), "9");
}

}  // namespace
}  // namespace mayfly::registry
