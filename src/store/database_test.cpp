#include "store/database.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <fstream>
#include <stdexcept>

#include "base/temp_folder.h"
#include "store/faulty_vfs_test_support.h"

namespace mayfly::store {
namespace {

class DatabaseTest : public testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path file() const { return folder_.path() / "test.db"; }
  [[nodiscard]] Database open(Database::Options options = {}) const {
    auto opened = Database::open(file(), options);
    EXPECT_TRUE(opened) << opened.error().message;
    auto made = opened->script("CREATE TABLE IF NOT EXISTS t(a INTEGER PRIMARY KEY, b TEXT NOT NULL) STRICT");
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*opened);
  }
  static std::string all(Database& db) {
    std::string text;
    auto read = db.query("SELECT a, b FROM t ORDER BY a", [&](const Row& row) {
      text += std::to_string(row.integer(0)) + "=" + row.text(1) + ";";
    });
    EXPECT_TRUE(read) << read.error().message;
    return text;
  }

  TempFolder folder_;
};

TEST_F(DatabaseTest, KeepsWhatWasWritten) {
  {
    auto db = open();
    ASSERT_TRUE(db.run("INSERT INTO t VALUES (?, ?)", std::int64_t{7}, "it's; \"quoted\""));
    const std::string with_zero("a\0b", 3);
    ASSERT_TRUE(db.run("INSERT INTO t VALUES (?, ?)", std::uint32_t{8}, with_zero));
  }
  auto db = open();
  EXPECT_EQ(all(db), std::string("7=it's; \"quoted\";8=a\0b;", 23));
}

TEST_F(DatabaseTest, ANumberThatIsNotThereIsNull) {
  auto db = open();
  ASSERT_TRUE(db.script("CREATE TABLE n(a INTEGER) STRICT"));
  ASSERT_TRUE(
      db.run("INSERT INTO n VALUES (?), (?)", std::optional<std::int64_t>(7), std::optional<std::int64_t>()));
  std::string text;
  ASSERT_TRUE(db.query("SELECT a FROM n ORDER BY rowid", [&](const Row& row) {
    text += row.is_null(0) ? "null;" : std::to_string(row.integer(0)) + ";";
  }));
  EXPECT_EQ(text, "7;null;");
}

TEST_F(DatabaseTest, UsesWalWithSyncedCommitsAndForeignKeys) {
  auto db = open();
  std::string settings;
  for (const char* pragma : {"PRAGMA journal_mode", "PRAGMA synchronous", "PRAGMA foreign_keys"})
    ASSERT_TRUE(db.query(pragma, [&](const Row& row) { settings += row.text(0) + ","; }));
  EXPECT_EQ(settings, "wal,2,1,");
}

TEST_F(DatabaseTest, ATransactionIsAllOrNothing) {
  auto db = open();
  auto failed = db.transaction([&]() -> Result<void> {
    EXPECT_TRUE(db.run("INSERT INTO t VALUES (1, 'x')"));
    return fail(StoreErrc::failed, "changed my mind");
  });
  EXPECT_EQ(failed.error().message, "changed my mind");
  EXPECT_EQ(all(db), "");
  EXPECT_THROW((void)db.transaction([&]() -> Result<void> {
    EXPECT_TRUE(db.run("INSERT INTO t VALUES (1, 'x')"));
    throw std::runtime_error("thrown");
  }),
               std::runtime_error);
  EXPECT_EQ(all(db), "");
  EXPECT_TRUE(db.transaction([&] { return db.run("INSERT INTO t VALUES (1, 'x')"); }));
  EXPECT_EQ(all(db), "1=x;");
}

TEST_F(DatabaseTest, ErrorsAreTyped) {
  auto db = open();
  ASSERT_TRUE(db.run("INSERT INTO t VALUES (1, 'x')"));
  EXPECT_EQ(db.run("INSERT INTO t VALUES (1, 'y')").error().code, StoreErrc::constraint);
  EXPECT_EQ(db.run("no sql at all").error().code, StoreErrc::failed);
  EXPECT_EQ(std::string(make_error_code(StoreErrc::newer_schema).message()), "newer-schema");
  EXPECT_EQ(Database::open(folder_.path() / "no" / "folder.db").error().code, StoreErrc::io);

  std::ofstream(folder_.path() / "text.db") << std::string(4096, 'x');
  EXPECT_EQ(Database::open(folder_.path() / "text.db").error().code, StoreErrc::corrupt);
}

TEST_F(DatabaseTest, AnotherWriterIsBusyNotForEver) {
  auto db = open();
  auto other = open({.vfs = {}, .busy_timeout_ms = 1});
  auto held = db.transaction([&]() -> Result<void> {
    EXPECT_EQ(other.run("INSERT INTO t VALUES (1, 'x')").error().code, StoreErrc::busy);
    return {};
  });
  EXPECT_TRUE(held);
  EXPECT_TRUE(other.run("INSERT INTO t VALUES (1, 'x')"));
}

TEST_F(DatabaseTest, AFullDiskFailsTheCommitAndLaterOnesWork) {
  FaultyVfs disk;
  auto db = open({.vfs = FaultyVfs::kName});
  ASSERT_TRUE(db.run("INSERT INTO t VALUES (1, 'kept')"));
  for (int writes = 0; writes < 2; ++writes) {
    disk.fail_writes_after(writes);
    auto full = db.transaction([&] { return db.run("INSERT INTO t VALUES (2, 'lost')"); });
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().code, StoreErrc::full);
  }
  disk.fail_writes_after(-1);
  EXPECT_EQ(all(db), "1=kept;");
  EXPECT_TRUE(db.transaction([&] { return db.run("INSERT INTO t VALUES (3, 'again')"); }));
  EXPECT_EQ(all(db), "1=kept;3=again;");
}

TEST_F(DatabaseTest, AFailedSyncIsAnErrorOfTheCommit) {
  FaultyVfs disk;
  auto db = open({.vfs = FaultyVfs::kName});
  disk.fail_syncs(true);
  auto failed = db.transaction([&] { return db.run("INSERT INTO t VALUES (1, 'x')"); });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, StoreErrc::io);
  disk.fail_syncs(false);
  EXPECT_EQ(all(db), "");
}

/// What is in the file after the power went, as a new process finds it. The first connection is left open
/// meanwhile (closing it would write); the copy has none of its shared memory.
std::string after_power_cut(FaultyVfs& disk, const std::filesystem::path& file,
                            const std::filesystem::path& copy) {
  disk.power_cut();
  std::filesystem::copy_file(file, copy);
  if (std::filesystem::exists(file.string() + "-wal"))
    std::filesystem::copy_file(file.string() + "-wal", copy.string() + "-wal");
  auto db = Database::open(copy);
  EXPECT_TRUE(db) << db.error().message;
  std::string text;
  auto read = db->query("SELECT b FROM t ORDER BY a", [&](const Row& row) { text += row.text(0) + ";"; });
  EXPECT_TRUE(read) << read.error().message;
  return text;
}

TEST_F(DatabaseTest, APowerCutTakesNoAcknowledgedCommit) {
  FaultyVfs disk;
  auto db = open({.vfs = FaultyVfs::kName});
  ASSERT_TRUE(db.run("INSERT INTO t VALUES (1, 'one')"));
  ASSERT_TRUE(db.transaction([&] { return db.run("INSERT INTO t VALUES (2, 'two')"); }));
  EXPECT_EQ(after_power_cut(disk, file(), folder_.path() / "copy.db"), "one;two;");
}

TEST_F(DatabaseTest, ADiskThatLiesLosesWholeCommitsNeverHalfOfOne) {
  FaultyVfs disk;
  auto db = open({.vfs = FaultyVfs::kName});
  ASSERT_TRUE(db.run("INSERT INTO t VALUES (1, 'one')"));
  disk.ignore_syncs(true);
  ASSERT_TRUE(db.transaction([&] { return db.run("INSERT INTO t VALUES (2, 'two')"); }));
  EXPECT_EQ(after_power_cut(disk, file(), folder_.path() / "copy.db"), "one;");
}

}  // namespace
}  // namespace mayfly::store
