#include "store/schema.h"

#include <gtest/gtest.h>

#include <array>

#include "base/temp_folder.h"
#include "store/faulty_vfs_test_support.h"

namespace mayfly::store {
namespace {

int user_version(Database& db) {
  int version = -1;
  EXPECT_TRUE(
      db.query("PRAGMA user_version", [&](const Row& row) { version = static_cast<int>(row.integer(0)); }));
  return version;
}

TEST(Schema, MakesTheTablesOnce) {
  const TempFolder folder;
  auto db = Database::open(folder.path() / "m.db");
  ASSERT_TRUE(db);
  ASSERT_TRUE(migrate(*db));
  EXPECT_EQ(user_version(*db), schema_version());
  ASSERT_TRUE(db->run("INSERT INTO functions(name) VALUES ('f')"));
  ASSERT_TRUE(migrate(*db));
  int count = 0;
  ASSERT_TRUE(db->query("SELECT name FROM functions", [&](const Row&) { ++count; }));
  EXPECT_EQ(count, 1);
}

TEST(Schema, RefusesAFileOfANewerMayflyAndLeavesItAlone) {
  const TempFolder folder;
  auto db = Database::open(folder.path() / "m.db");
  ASSERT_TRUE(db);
  ASSERT_TRUE(db->script("PRAGMA user_version = 1000"));
  auto refused = migrate(*db);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, StoreErrc::newer_schema);
  EXPECT_EQ(user_version(*db), 1000);
}

TEST(Schema, AMigrationThatFailsLeavesTheOldSchema) {
  const TempFolder folder;
  FaultyVfs disk;
  auto db = Database::open(folder.path() / "m.db", {.vfs = FaultyVfs::kName});
  ASSERT_TRUE(db);
  int failures = 0;
  for (;; ++failures) {  // the disk is full one write later each time, until there is enough
    disk.fail_writes_after(failures);
    const bool done = migrate(*db).has_value();
    disk.fail_writes_after(-1);
    if (done) break;
    // Each step is there as a whole or not at all: the first makes tables, the second a column, the others a
    // table each, those of hashes with an index.
    const int version = user_version(*db);
    int tables = 0;
    ASSERT_TRUE(db->query("SELECT name FROM sqlite_schema", [&](const Row&) { ++tables; }));
    constexpr std::array kTables{0, 4, 4, 5, 7, 9};
    ASSERT_EQ(tables, kTables.at(static_cast<std::size_t>(version)));
    ASSERT_EQ(db->script("SELECT layers FROM versions").has_value(), version > 1);
  }
  EXPECT_GT(failures, 2);
  EXPECT_EQ(user_version(*db), schema_version());
}

TEST(Schema, AVersionWithTrafficOrAnAliasCannotBeDeleted) {
  const TempFolder folder;
  auto db = Database::open(folder.path() / "m.db");
  ASSERT_TRUE(db);
  ASSERT_TRUE(migrate(*db));
  ASSERT_TRUE(db->run("INSERT INTO functions(name) VALUES ('f')"));
  for (int number : {1, 2, 3})
    ASSERT_TRUE(db->run("INSERT INTO versions VALUES ('f', ?, 'd', 's', 'node', 'e', '{}', 0, '')", number));
  ASSERT_TRUE(db->run("INSERT INTO weights VALUES ('f', 1, 100)"));
  ASSERT_TRUE(db->run("INSERT INTO aliases VALUES ('f', 'stable', 2)"));
  EXPECT_EQ(db->run("DELETE FROM versions WHERE number = 1").error().code, StoreErrc::constraint);
  EXPECT_EQ(db->run("DELETE FROM versions WHERE number = 2").error().code, StoreErrc::constraint);
  EXPECT_TRUE(db->run("DELETE FROM versions WHERE number = 3"));
  EXPECT_EQ(db->run("INSERT INTO weights VALUES ('f', 9, 1)").error().code, StoreErrc::constraint);
}

}  // namespace
}  // namespace mayfly::store
