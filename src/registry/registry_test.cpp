#include "registry/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/temp_folder.h"
#include "store/faulty_vfs_test_support.h"

namespace mayfly::registry {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

/// Remembers what was published.
struct Published final : Platform {
  boost::asio::awaitable<Result<void>> prepare(VersionPtr) override { co_return Result<void>{}; }
  void publish(const std::string& name, FunctionPtr function) override {
    ++changes;
    functions[name] = std::move(function);
  }
  std::map<std::string, FunctionPtr> functions;
  int changes = 0;
};

class RegistryTest : public testing::Test {
 protected:
  RegistryTest() { clock_.advance(std::chrono::hours(1)); }

  [[nodiscard]] std::unique_ptr<Registry> open(const std::string& vfs = {}) {
    auto registry = Registry::open({.data = data(), .clock = &clock_, .vfs = vfs});
    EXPECT_TRUE(registry) << registry.error().message;
    if (!registry) return nullptr;
    (*registry)->attach(published_);
    return std::move(*registry);
  }
  [[nodiscard]] fs::path data() const { return folder_.path() / "data"; }

  static Result<FunctionPtr> add(Registry& registry, const std::string& name, const std::string& text = "x",
                                 bool keep_traffic = false) {
    auto staged = registry.sources().stage();
    EXPECT_TRUE(staged);
    std::ofstream(staged->path() / "index.js") << text;
    auto pin = registry.sources().take(staged->path());
    EXPECT_TRUE(pin);
    Version version;
    version.function = name;
    version.number = registry.next_number(name);
    version.digest = "digest of " + text;
    version.root = registry.sources().path(pin->digest());
    version.entry = "index.js";
    version.config.env["TEXT"] = text;
    version.config.routes = {"GET /x"};
    version.created = registry.clock().wall();
    return registry.add(std::make_shared<const Version>(version), keep_traffic);
  }
  static std::map<std::uint32_t, std::uint32_t> weights(const Registry& registry, const std::string& name) {
    const auto function = registry.find(name);
    return function ? function->traffic.weights : std::map<std::uint32_t, std::uint32_t>{};
  }
  [[nodiscard]] std::size_t sources() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(data() / "sources"), {}));
  }

  TempFolder folder_;
  ManualClock clock_;
  Published published_;
};

TEST_F(RegistryTest, TheFirstVersionGetsAllTrafficAndSoDoesEachLaterOne) {
  auto registry = open();
  ASSERT_TRUE(add(*registry, "f", "one"));
  EXPECT_THAT(weights(*registry, "f"), ElementsAre(Pair(1, 100)));
  ASSERT_TRUE(add(*registry, "f", "two"));
  EXPECT_THAT(weights(*registry, "f"), ElementsAre(Pair(2, 100)));
  ASSERT_TRUE(add(*registry, "f", "three", true));
  EXPECT_THAT(weights(*registry, "f"), ElementsAre(Pair(2, 100)));
  ASSERT_TRUE(add(*registry, "g", "one", true));
  EXPECT_THAT(weights(*registry, "g"), ElementsAre(Pair(1, 100)));
  EXPECT_EQ(published_.functions["f"], registry->find("f"));
}

TEST_F(RegistryTest, EverythingIsThereAgainAfterARestart) {
  auto registry = open();
  ASSERT_TRUE(add(*registry, "f", "one"));
  ASSERT_TRUE(add(*registry, "f", "two"));
  ASSERT_TRUE(registry->set_traffic("f", {{{1, 90}, {2, 10}}, "cookie:session"}));
  ASSERT_TRUE(registry->set_alias("f", "stable", 1));
  ASSERT_TRUE(add(*registry, "g"));
  const auto before = *registry->find("f");
  registry.reset();
  published_.functions.clear();

  registry = open();
  const auto after = registry->find("f");
  ASSERT_TRUE(after);
  EXPECT_THAT(after->traffic.weights, ElementsAre(Pair(1, 90), Pair(2, 10)));
  EXPECT_EQ(after->traffic.sticky, "cookie:session");
  EXPECT_THAT(after->aliases, ElementsAre(Pair("stable", 1)));
  for (const std::uint32_t number : {1, 2}) {
    const auto& was = *before.versions.at(number);
    const auto& is = *after->versions.at(number);
    EXPECT_EQ(is.address(), was.address());
    EXPECT_EQ(is.digest, was.digest);
    EXPECT_EQ(is.root, was.root);
    EXPECT_TRUE(fs::exists(is.root / is.entry));
    EXPECT_EQ(is.runtime, was.runtime);
    EXPECT_EQ(is.config.env, was.config.env);
    EXPECT_EQ(is.config.routes, was.config.routes);
    EXPECT_EQ(is.created, was.created);
  }
  EXPECT_THAT(published_.functions, testing::SizeIs(2));
  EXPECT_EQ(registry->next_number("f"), 3U);
}

TEST_F(RegistryTest, NumbersAreNeverUsedAgain) {
  auto registry = open();
  for (const char* text : {"one", "two", "three"}) ASSERT_TRUE(add(*registry, "f", text));
  ASSERT_TRUE(registry->rollback("f", 1));
  ASSERT_TRUE(registry->remove_version("f", 3));
  registry.reset();
  registry = open();
  EXPECT_EQ(registry->next_number("f"), 4U);
  ASSERT_TRUE(registry->remove("f"));
  EXPECT_EQ(registry->next_number("f"), 4U);
  registry.reset();
  registry = open();
  EXPECT_FALSE(registry->find("f"));
  ASSERT_TRUE(add(*registry, "f", "four"));
  EXPECT_THAT(weights(*registry, "f"), ElementsAre(Pair(4, 100)));
  EXPECT_THAT(registry->find("f")->versions, testing::SizeIs(1));
}

TEST_F(RegistryTest, RollbackGoesToTheOneBeforeOrToTheOneNamed) {
  auto registry = open();
  for (const char* text : {"one", "two", "three", "four"}) ASSERT_TRUE(add(*registry, "f", text));
  const auto back = [&]() -> Result<FunctionPtr> {
    const auto before = version_before(*registry->find("f"));
    if (!before) return std::unexpected(before.error());
    return registry->rollback("f", *before);
  };
  ASSERT_TRUE(back());
  EXPECT_THAT(weights(*registry, "f"), ElementsAre(Pair(3, 100)));
  ASSERT_TRUE(registry->remove_version("f", 2));
  ASSERT_TRUE(back());
  EXPECT_THAT(weights(*registry, "f"), ElementsAre(Pair(1, 100)));
  const auto none = back();
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, RegistryErrc::unknown_version);
  ASSERT_TRUE(registry->rollback("f", 4));
  EXPECT_THAT(weights(*registry, "f"), ElementsAre(Pair(4, 100)));
  EXPECT_EQ(registry->rollback("f", 2).error().code, RegistryErrc::unknown_version);
  EXPECT_EQ(registry->rollback("g", 2).error().code, RegistryErrc::unknown_function);
}

TEST_F(RegistryTest, TrafficIsCheckedBeforeItIsChanged) {
  auto registry = open();
  ASSERT_TRUE(add(*registry, "f", "one"));
  ASSERT_TRUE(add(*registry, "f", "two"));
  const int changes = published_.changes;
  EXPECT_EQ(registry->set_traffic("f", {{}, ""}).error().code, RegistryErrc::bad_traffic);
  EXPECT_EQ(registry->set_traffic("f", {{{1, 0}}, ""}).error().code, RegistryErrc::bad_traffic);
  EXPECT_EQ(registry->set_traffic("f", {{{1, 1'000'001}}, ""}).error().code, RegistryErrc::bad_traffic);
  EXPECT_EQ(registry->set_traffic("f", {{{3, 1}}, ""}).error().code, RegistryErrc::unknown_version);
  for (const char* sticky : {"x", "header:", "cookie:a b", "query:x", "header:a\nb"})
    EXPECT_EQ(registry->set_traffic("f", {{{1, 1}}, sticky}).error().code, RegistryErrc::bad_traffic)
        << sticky;
  EXPECT_EQ(published_.changes, changes);
  EXPECT_THAT(weights(*registry, "f"), ElementsAre(Pair(2, 100)));
  ASSERT_TRUE(registry->set_traffic("f", {{{1, 1}, {2, 0}}, "header:X-User"}));
  EXPECT_THAT(weights(*registry, "f"), ElementsAre(Pair(1, 1)));
}

TEST_F(RegistryTest, AVersionInUseIsNotDeleted) {
  auto registry = open();
  for (const char* text : {"one", "two", "three"}) ASSERT_TRUE(add(*registry, "f", text));
  ASSERT_TRUE(registry->set_alias("f", "stable", 1));
  EXPECT_EQ(registry->remove_version("f", 3).error().code, RegistryErrc::version_in_use);
  EXPECT_EQ(registry->remove_version("f", 1).error().code, RegistryErrc::version_in_use);
  EXPECT_EQ(registry->remove_version("f", 9).error().code, RegistryErrc::unknown_version);
  EXPECT_TRUE(registry->remove_version("f", 2));
  ASSERT_TRUE(registry->remove_alias("f", "stable"));
  EXPECT_EQ(registry->remove_alias("f", "stable").error().code, RegistryErrc::unknown_version);
  EXPECT_TRUE(registry->remove_version("f", 1));
  EXPECT_THAT(registry->find("f")->versions, testing::SizeIs(1));
}

TEST_F(RegistryTest, AVersionIsFoundByNumberAliasOrTraffic) {
  auto registry = open();
  for (const char* text : {"one", "two", "three"}) ASSERT_TRUE(add(*registry, "f", text));
  ASSERT_TRUE(registry->set_alias("f", "stable", 1));
  ASSERT_TRUE(registry->set_traffic("f", {{{1, 10}, {2, 80}, {3, 10}}, ""}));
  EXPECT_EQ((*registry->version("f", ""))->number, 2U);
  EXPECT_EQ((*registry->version("f", "3"))->number, 3U);
  EXPECT_EQ((*registry->version("f", "stable"))->number, 1U);
  for (const char* reference : {"4", "0", "-1", "unstable", "99999999999"})
    EXPECT_EQ(registry->version("f", reference).error().code, RegistryErrc::unknown_version) << reference;
  EXPECT_EQ(registry->set_alias("f", "3", 1).error().code, RegistryErrc::bad_name);
  EXPECT_EQ(registry->set_alias("f", "x", 7).error().code, RegistryErrc::unknown_version);
}

TEST_F(RegistryTest, AnUnknownNameComesWithTheNearestOne) {
  auto registry = open();
  ASSERT_TRUE(add(*registry, "thumbnail"));
  const auto missing = registry->get("thumbnial");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, RegistryErrc::unknown_function);
  EXPECT_THAT(missing.error().message, HasSubstr("did you mean 'thumbnail'?"));
  ASSERT_TRUE(registry->remove("thumbnail"));
  EXPECT_THAT(registry->get("thumbnial").error().message, testing::Not(HasSubstr("did you mean")));
  EXPECT_EQ(registry->remove("thumbnail").error().code, RegistryErrc::unknown_function);
  EXPECT_EQ(published_.functions["thumbnail"], nullptr);
}

TEST_F(RegistryTest, SourcesGoWhenNobodyUsesThem) {
  auto registry = open();
  ASSERT_TRUE(add(*registry, "f", "one"));
  ASSERT_TRUE(add(*registry, "f", "two"));
  ASSERT_TRUE(add(*registry, "g", "one"));
  EXPECT_EQ(sources(), 2U);
  auto held = *registry->version("f", "1");  // as an instance that still runs would
  published_.functions.clear();
  ASSERT_TRUE(registry->remove_version("f", 1));
  published_.functions.clear();
  registry->collect();
  EXPECT_EQ(sources(), 2U);
  ASSERT_TRUE(registry->remove("g"));
  registry->collect();
  EXPECT_EQ(sources(), 2U) << "g@1 is not held, but f@1 has the same source and is";
  held.reset();
  registry->collect();
  EXPECT_EQ(sources(), 1U);
  EXPECT_TRUE(fs::exists((*registry->version("f", "2"))->root));
}

TEST_F(RegistryTest, LayersAreSharedComeBackAndGoWithTheirLastVersion) {
  auto registry = open();
  const auto layer = [&](const char* recipe) {
    auto pin = registry->layers().get(recipe, {}, [](const fs::path& folder) -> Result<void> {
      std::ofstream(folder / "file") << "x";
      return {};
    });
    EXPECT_TRUE(pin);
    return registry->layers().path(pin->digest());
  };
  const auto deploy = [&](const std::string& name, const std::vector<fs::path>& layers) {
    Version version;
    version.function = name;
    version.number = registry->next_number(name);
    version.root = registry->sources().path("root-of-" + name);
    version.layers = layers;
    EXPECT_TRUE(registry->add(std::make_shared<const Version>(version), false));
  };
  const auto shared = layer("shared");
  const auto own = layer("own");
  const auto lost = layer("of a deploy that a crash ended");
  deploy("f", {shared, own});
  deploy("g", {shared});
  published_.functions.clear();
  registry.reset();
  registry = open();
  EXPECT_EQ((*registry->version("f", ""))->layers, (std::vector{shared, own}));
  EXPECT_FALSE(fs::exists(lost));

  published_.functions.clear();
  ASSERT_TRUE(registry->remove("f"));
  registry->collect();
  EXPECT_TRUE(fs::exists(shared));
  EXPECT_FALSE(fs::exists(own));

  const auto loose = layer("of a deploy that failed");
  registry->discard("none", {loose});
  published_.functions.clear();
  ASSERT_TRUE(registry->remove("g"));
  registry->collect();
  EXPECT_FALSE(fs::exists(shared));
  EXPECT_TRUE(fs::exists(loose));
  clock_.advance(std::chrono::minutes(11));
  registry->collect();
  EXPECT_FALSE(fs::exists(loose));
}

TEST_F(RegistryTest, ASourceWithoutARowIsRemovedAtStart) {
  auto registry = open();
  ASSERT_TRUE(add(*registry, "f", "one"));
  {
    auto staged = registry->sources().stage();
    std::ofstream(staged->path() / "index.js") << "of a deploy that a crash ended";
    ASSERT_TRUE(registry->sources().take(staged->path()));
  }
  EXPECT_EQ(sources(), 2U);
  registry.reset();
  registry = open();
  EXPECT_EQ(sources(), 1U);
  EXPECT_TRUE(fs::exists((*registry->version("f", ""))->root));
}

TEST_F(RegistryTest, AFullDiskChangesNothingInService) {
  store::FaultyVfs disk;
  auto registry = open(store::FaultyVfs::kName);
  ASSERT_TRUE(add(*registry, "f", "one"));
  ASSERT_TRUE(add(*registry, "f", "two"));
  const auto before = registry->find("f");
  const int changes = published_.changes;
  disk.fail_writes_after(0);
  EXPECT_EQ(add(*registry, "f", "three").error().code, store::StoreErrc::full);
  EXPECT_FALSE(registry->rollback("f", 1));
  EXPECT_FALSE(registry->set_alias("f", "a", 1));
  EXPECT_FALSE(registry->remove_version("f", 1));
  EXPECT_FALSE(registry->remove("f"));
  disk.fail_writes_after(-1);
  EXPECT_EQ(registry->find("f"), before);
  EXPECT_EQ(published_.changes, changes);
  ASSERT_TRUE(add(*registry, "f", "three"));
  EXPECT_EQ(registry->next_number("f"), 4U);
  registry.reset();
  registry = open();
  EXPECT_THAT(registry->find("f")->versions, testing::SizeIs(3));
}

TEST_F(RegistryTest, OnlyTheNextNumberIsAdded) {
  auto registry = open();
  Version version;
  version.function = "f";
  version.number = 2;
  EXPECT_FALSE(registry->add(std::make_shared<const Version>(version), false));
  version.function = "Bad";
  version.number = 1;
  EXPECT_EQ(registry->add(std::make_shared<const Version>(version), false).error().code,
            RegistryErrc::bad_name);
}

}  // namespace
}  // namespace mayfly::registry
