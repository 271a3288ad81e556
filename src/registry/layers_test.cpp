#include "registry/layers.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "registry/error.h"

namespace mayfly::registry {
namespace {

namespace fs = std::filesystem;

class Layers : public testing::Test {
 protected:
  Layers() : sources_(SourceStore::open(folder_.path())), layers_(LayerStore::open(*sources_)) {}

  [[nodiscard]] std::size_t count() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_.path() / "layers"), {}));
  }
  [[nodiscard]] std::size_t staged() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_.path() / "staging"), {}));
  }
  LayerStore::Fill fill() {
    return [this](const fs::path& folder) -> Result<void> {
      ++filled_;
      std::ofstream(folder / "file") << "text";
      return {};
    };
  }

  TempFolder folder_;
  Result<SourceStore> sources_;
  Result<LayerStore> layers_;
  std::atomic<int> filled_ = 0;
};

TEST_F(Layers, AreMadeOnceAndReadOnly) {
  auto first = layers_->get("lock 1", {}, fill());
  ASSERT_TRUE(first) << first.error().message;
  const auto second = layers_->get("lock 1", {}, fill());
  ASSERT_TRUE(second);
  EXPECT_EQ(filled_, 1);
  EXPECT_EQ(first->digest(), second->digest());
  struct stat status{};
  ASSERT_EQ(::stat((layers_->path(first->digest()) / "file").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0444U);
  EXPECT_EQ(staged(), 0U);

  ASSERT_TRUE(layers_->get("lock 2", {}, fill()));
  EXPECT_EQ(filled_, 2);
  EXPECT_EQ(count(), 2U);
}

TEST_F(Layers, OneThatIsTooLargeIsRefusedWhateverMadeIt) {
  const auto refused = [&](const LayerLimits& limits) {
    const auto layer = layers_->get("lock", limits, fill());
    EXPECT_FALSE(layer);
    EXPECT_EQ(layer.error().code, RegistryErrc::too_large);
    return std::string(layer.error().detail("size")) + " of " + std::string(layer.error().detail("limit"));
  };
  EXPECT_EQ(refused({.bytes = 3, .files = 1}), "4B of 3B");
  EXPECT_EQ(refused({.bytes = 4, .files = 0}), "1 files of 0 files");
  EXPECT_EQ(count() + staged(), 0U);
  EXPECT_TRUE(layers_->get("lock", {.bytes = 4, .files = 1}, fill()));
}

TEST_F(Layers, OneThatFailsLeavesNothingAndIsTriedAgain) {
  const auto failed = layers_->get("lock", {}, [](const fs::path& folder) -> Result<void> {
    std::ofstream(folder / "half") << "x";
    return fail(RegistryErrc::build_failed, "no such package");
  });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "no such package");
  EXPECT_EQ(count() + staged(), 0U);
  EXPECT_TRUE(layers_->get("lock", {}, fill()));
}

TEST_F(Layers, BuildsOfTheSameOneWaitForEachOther) {
  std::atomic<int> asking = 0;
  const auto slow = [&](const fs::path& folder) -> Result<void> {
    while (asking < 4) std::this_thread::yield();
    return fill()(folder);
  };
  std::vector<std::jthread> threads;
  std::atomic<int> got = 0;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      ++asking;
      if (layers_->get("lock", {}, slow)) ++got;
    });
  threads.clear();
  EXPECT_EQ(got, 4);
  EXPECT_EQ(filled_, 1);
}

TEST_F(Layers, AreCollectedUnlessNamedOrPinned) {
  auto named = layers_->get("a", {}, fill());
  auto pinned = layers_->get("b", {}, fill());
  ASSERT_TRUE(named && pinned && layers_->get("c", {}, fill()));
  const auto name = named->digest();
  *named = {};
  layers_->retain({name});
  EXPECT_EQ(count(), 2U);
  *pinned = {};
  layers_->retain({name});
  EXPECT_EQ(count(), 1U);
  layers_->retain({});
  EXPECT_EQ(count(), 0U);
}

}  // namespace
}  // namespace mayfly::registry
