#include "registry/source_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <functional>
#include <thread>
#include <vector>

#include "registry/error.h"

namespace mayfly::registry {
namespace {

namespace fs = std::filesystem;

void write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

std::size_t count(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), {}));
}

unsigned mode(const fs::path& file) {
  struct stat info{};
  EXPECT_EQ(::lstat(file.c_str(), &info), 0);
  return info.st_mode & 07777U;
}

class SourceStoreTest : public testing::Test {
 protected:
  [[nodiscard]] SourceStore open() const {
    auto store = SourceStore::open(data());
    EXPECT_TRUE(store) << store.error().message;
    return std::move(*store);
  }
  [[nodiscard]] fs::path data() const { return folder_.path() / "data"; }
  static SourceStore::Pin put(const SourceStore& store, const std::string& text) {
    auto staged = store.stage();
    EXPECT_TRUE(staged);
    write(staged->path() / "index.js", text);
    auto pin = store.take(staged->path());
    EXPECT_TRUE(pin) << pin.error().message;
    return std::move(*pin);
  }

  TempFolder folder_;
};

TEST_F(SourceStoreTest, TheDigestIsOfTheContentAlone) {
  const auto digest = [&](const std::function<void(const fs::path&)>& fill) {
    const TempFolder folder;
    fill(folder.path());
    auto result = digest_of(folder.path());
    EXPECT_TRUE(result);
    return *result;
  };
  const auto base = digest([](const fs::path& f) { write(f / "a", "x"), write(f / "b/c", "y"); });
  EXPECT_EQ(base.size(), 64U);
  EXPECT_EQ(base, digest([](const fs::path& f) {
              write(f / "b/c", "y"), write(f / "a", "x");
              fs::last_write_time(f / "a", fs::file_time_type{});
              ::chmod((f / "a").c_str(), 0600);
            }));
  const std::vector<std::string> others{
      digest([](const fs::path& f) { write(f / "a", "X"), write(f / "b/c", "y"); }),
      digest([](const fs::path& f) { write(f / "a2", "x"), write(f / "b/c", "y"); }),
      digest([](const fs::path& f) { write(f / "a", "xy"), write(f / "b/c", ""); }),
      digest([](const fs::path& f) {
        write(f / "a", "x"), write(f / "b/c", "y"), ::chmod((f / "a").c_str(), 0755);
      }),
      digest([](const fs::path& f) {
        write(f / "a", "x"), write(f / "b/c", "y"), fs::create_directory(f / "d");
      }),
      digest([](const fs::path& f) {
        write(f / "a", "x"), write(f / "b/c", "y"), fs::create_symlink("a", f / "l");
      }),
      digest([](const fs::path& f) {
        write(f / "a", "x"), write(f / "b/c", "y"), fs::create_symlink("b", f / "l");
      })};
  for (std::size_t i = 0; i < others.size(); ++i) {
    EXPECT_NE(others[i], base) << i;
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(others[i], others[j]) << i << " " << j;
  }
  EXPECT_EQ(digest_of_text("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_F(SourceStoreTest, TakesAFolderOverReadOnly) {
  const auto store = open();
  auto staged = store.stage();
  ASSERT_TRUE(staged);
  write(staged->path() / "inner/index.js", "x");
  write(staged->path() / "inner/bin/run", "x");
  ::chmod((staged->path() / "inner/bin/run").c_str(), 0755);
  fs::create_symlink("bin/run", staged->path() / "inner/link");
  auto pin = store.take(staged->path() / "inner");
  ASSERT_TRUE(pin) << pin.error().message;
  const auto path = store.path(pin->digest());
  EXPECT_EQ(mode(path), 0555U);
  EXPECT_EQ(mode(path / "bin"), 0555U);
  EXPECT_EQ(mode(path / "bin/run"), 0555U);
  EXPECT_EQ(mode(path / "index.js"), 0444U);
  EXPECT_EQ(digest_of(path).value_or(""), pin->digest());
  EXPECT_TRUE(store.sync(pin->digest()));
  EXPECT_FALSE(store.sync(std::string(64, '0')));
}

TEST_F(SourceStoreTest, PipesAndTheLikeAreNotTaken) {
  const auto store = open();
  auto staged = store.stage();
  ASSERT_TRUE(staged);
  write(staged->path() / "inner/index.js", "x");
  ASSERT_EQ(::mkfifo((staged->path() / "inner/pipe").c_str(), 0600), 0);
  EXPECT_EQ(digest_of(staged->path() / "inner").error().code, RegistryErrc::unsafe_path);
  const auto taken = store.take(staged->path() / "inner", std::string(64, '1'));
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, RegistryErrc::unsafe_path);
  EXPECT_TRUE(taken.error().message.contains("'pipe'")) << taken.error().message;
}

TEST_F(SourceStoreTest, WhatHasTooManyLongPathsIsNotTaken) {
  const auto store = open();
  auto staged = store.stage();
  ASSERT_TRUE(staged);
  auto folder = staged->path() / "inner";
  for (int level = 0; level < 14; ++level) folder /= std::string(250, 'd');
  fs::create_directories(folder);
  for (int i = 0; i < 20'000; ++i) std::ofstream(folder / std::to_string(i));
  const auto taken = store.take(staged->path() / "inner");
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, RegistryErrc::too_large);
}

TEST_F(SourceStoreTest, TheSameContentIsKeptOnce) {
  const auto store = open();
  const auto first = put(store, "x");
  const auto second = put(store, "x");
  const auto other = put(store, "y");
  EXPECT_EQ(first.digest(), second.digest());
  EXPECT_NE(first.digest(), other.digest());
  EXPECT_EQ(count(data() / "sources"), 2U);
  EXPECT_EQ(count(data() / "staging"), 0U);
}

TEST_F(SourceStoreTest, WhatIsPinnedIsNotRemoved) {
  const auto store = open();
  auto first = put(store, "x");
  auto second = put(store, "x");
  const auto digest = first.digest();
  first = {};
  EXPECT_FALSE(store.remove(digest));
  store.retain({});
  EXPECT_TRUE(store.contains(digest));
  second = {};
  EXPECT_TRUE(store.remove(digest));
  EXPECT_FALSE(store.contains(digest));
  EXPECT_TRUE(store.remove(digest));
}

TEST_F(SourceStoreTest, RetainRemovesAllOthersAndStartingRemovesWhatWasStaged) {
  std::string kept;
  {
    const auto store = open();
    kept = put(store, "kept").digest();
    (void)put(store, "lost");
    store.retain({kept});
    EXPECT_EQ(count(data() / "sources"), 1U);
    write(data() / "staging/crashed/sealed/file", "x");
    ::chmod((data() / "staging/crashed/sealed").c_str(), 0555);
  }
  const auto store = open();
  EXPECT_TRUE(store.contains(kept));
  EXPECT_EQ(count(data() / "staging"), 0U);
}

TEST_F(SourceStoreTest, ManyFilesAreSyncedAndRemoved) {
  const auto store = open();
  auto staged = store.stage();
  for (int i = 0; i < 100; ++i) write(staged->path() / std::to_string(i % 7) / std::to_string(i), "x");
  auto pin = store.take(staged->path());
  ASSERT_TRUE(pin);
  EXPECT_TRUE(store.sync(pin->digest()));
  const auto digest = pin->digest();
  pin = SourceStore::Pin();
  EXPECT_TRUE(store.remove(digest));
  EXPECT_FALSE(store.contains(digest));
}

TEST_F(SourceStoreTest, ManyThreadsMayTakeAndRemoveTheSameContent) {
  const auto store = open();
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) {
        const auto pin = put(store, "same");
        EXPECT_TRUE(fs::exists(store.path(pin.digest()) / "index.js"));
        store.remove(pin.digest());
        EXPECT_TRUE(fs::exists(store.path(pin.digest()) / "index.js"));
      }
    });
}

}  // namespace
}  // namespace mayfly::registry
