#include "secrets/secrets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "base/temp_folder.h"
#include "store/faulty_vfs_test_support.h"

namespace mayfly::secrets {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

struct SecretsTest : testing::Test {
  [[nodiscard]] std::unique_ptr<Secrets> open(const std::string& vfs = {}) {
    auto secrets = Secrets::open({.data = folder.path(), .clock = &clock, .vfs = vfs});
    EXPECT_TRUE(secrets) << secrets.error().message;
    return secrets ? std::move(*secrets) : nullptr;
  }
  /// Changes the database behind its back.
  void sql(const std::string& statement) {
    auto database = store::Database::open(folder.path() / "mayfly.db");
    ASSERT_TRUE(database);
    const auto done = database->run(statement);
    ASSERT_TRUE(done) << done.error().message;
  }
  static std::string value(const Secrets& secrets, const std::string& name) {
    const auto revealed = secrets.reveal(name);
    return revealed ? std::string(revealed->view()) : "error: " + revealed.error().code.message();
  }
  [[nodiscard]] fs::path file() const { return key_file(folder.path()); }

  TempFolder folder;
  ManualClock clock;
};

TEST_F(SecretsTest, ValuesAreKept) {
  auto secrets = open();
  EXPECT_FALSE(fs::exists(file())) << "no key before it is needed";
  clock.advance(std::chrono::seconds(5));
  ASSERT_TRUE(secrets->set("B", "two"));
  ASSERT_TRUE(secrets->set("A", std::string("\0one\xff", 5)));
  EXPECT_TRUE(fs::exists(file()));
  clock.advance(std::chrono::seconds(5));
  ASSERT_TRUE(secrets->set("B", "second two"));
  for (int i = 0; i < 2; ++i) {
    const auto all = secrets->list();
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0].name, "A");
    EXPECT_EQ(all[1].created, WallTime{} + std::chrono::seconds(5));
    EXPECT_EQ(all[1].updated, WallTime{} + std::chrono::seconds(10));
    EXPECT_EQ(value(*secrets, "A"), std::string("\0one\xff", 5));
    EXPECT_EQ(value(*secrets, "B"), "second two");
    secrets.reset();
    secrets = open();  // and the same after a restart
  }
  ASSERT_TRUE(secrets->remove("A"));
  EXPECT_EQ(secrets->remove("A").error().code, SecretsErrc::unknown_secret);
  EXPECT_EQ(value(*open(), "A"), "error: unknown-secret");
}

TEST_F(SecretsTest, NoFileHoldsAValue) {
  auto secrets = open();
  ASSERT_TRUE(secrets->set("A", "plainly-visible"));
  for (const auto& entry : fs::directory_iterator(folder.path())) {
    std::stringstream content;
    content << std::ifstream(entry.path(), std::ios::binary).rdbuf();
    EXPECT_EQ(content.str().find("plainly-visible"), std::string::npos) << entry.path();
  }
}

TEST_F(SecretsTest, NamesAndValuesHaveBounds) {
  auto secrets = open();
  for (const auto& bad : {std::string(), std::string("1A"), std::string("A-B"), std::string(256, 'A')})
    EXPECT_EQ(secrets->set(bad, "x").error().code, SecretsErrc::bad_name) << bad;
  EXPECT_EQ(secrets->set("A", "").error().code, SecretsErrc::bad_value);
  EXPECT_EQ(secrets->set("A", std::string(kMaxValue + 1, 'x')).error().code, SecretsErrc::too_large);
  EXPECT_TRUE(secrets->set("A", std::string(kMaxValue, 'x')));
  sql("INSERT INTO secrets WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999) "
      "SELECT 'S' || i, sealed, key, 0, 0 FROM secrets, n");
  secrets = open();
  EXPECT_EQ(secrets->set("ONE_MORE", "x").error().code, SecretsErrc::too_many);
  EXPECT_TRUE(secrets->set("A", "y")) << "one that is there can be changed";
}

TEST_F(SecretsTest, AValueUnderAnotherNameDoesNotOpen) {
  ASSERT_TRUE(open()->set("MINE", "mine"));
  ASSERT_TRUE(open()->set("YOURS", "yours"));
  sql("UPDATE secrets SET sealed = (SELECT sealed FROM secrets WHERE name = 'YOURS') WHERE name = 'MINE'");
  auto secrets = open();
  EXPECT_EQ(value(*secrets, "MINE"), "error: damaged");
  EXPECT_EQ(value(*secrets, "YOURS"), "yours");
  ASSERT_TRUE(secrets->set("MINE", "new"));
  EXPECT_EQ(value(*secrets, "MINE"), "new");
}

TEST_F(SecretsTest, ATamperedValueDoesNotOpen) {
  ASSERT_TRUE(open()->set("A", "value"));
  sql("UPDATE secrets SET sealed = CAST(sealed || x'00' AS BLOB)");
  EXPECT_EQ(value(*open(), "A"), "error: damaged");
}

TEST_F(SecretsTest, WithoutItsKeyNothingOpensAndNothingIsOverwritten) {
  ASSERT_TRUE(open()->set("A", "value"));
  const auto away = folder.path() / "away";
  fs::rename(file(), away);
  auto secrets = open();
  ASSERT_TRUE(secrets->locked());
  EXPECT_THAT(secrets->locked()->message, HasSubstr("is missing"));
  EXPECT_EQ(value(*secrets, "A"), "error: locked");
  EXPECT_EQ(secrets->list().size(), 1U);
  EXPECT_EQ(secrets->set("B", "x").error().code, SecretsErrc::locked);
  EXPECT_FALSE(fs::exists(file())) << "no new key while the old one is needed";
  fs::rename(away, file());
  EXPECT_TRUE(secrets->set("B", "x")) << "it is back";
  EXPECT_EQ(value(*secrets, "A"), "value");
}

TEST_F(SecretsTest, AnotherKeyIsToldFromTheRightOne) {
  ASSERT_TRUE(open()->set("A", "value"));
  fs::remove(file());
  const TempFolder elsewhere;
  ASSERT_TRUE(Key::create(elsewhere.path()));
  fs::copy_file(key_file(elsewhere.path()), file());
  const auto wrong = fs::last_write_time(file());
  auto secrets = open();
  ASSERT_TRUE(secrets->locked());
  EXPECT_THAT(secrets->locked()->message, HasSubstr("another key"));
  EXPECT_EQ(secrets->set("A", "x").error().code, SecretsErrc::locked);
  ASSERT_TRUE(secrets->remove("A"));
  EXPECT_TRUE(secrets->set("A", "anew")) << "with nothing left to open, any key will do";
  EXPECT_EQ(value(*open(), "A"), "anew");
  EXPECT_EQ(fs::last_write_time(file()), wrong);
}

TEST_F(SecretsTest, AKeyThatVanishesWhileItIsUsedIsNoticed) {
  auto secrets = open();
  ASSERT_TRUE(secrets->set("A", "value"));
  fs::remove(file());
  EXPECT_EQ(secrets->set("B", "x").error().code, SecretsErrc::locked);
  EXPECT_EQ(value(*secrets, "A"), "value") << "what runs goes on";
  ASSERT_TRUE(secrets->remove("A"));
  ASSERT_TRUE(secrets->set("B", "x")) << "with a new key";
  EXPECT_EQ(value(*open(), "B"), "x");
}

TEST_F(SecretsTest, AKeyThatOthersMayReadIsRefused) {
  ASSERT_TRUE(open()->set("A", "value"));
  fs::permissions(file(), fs::perms(0644));
  auto secrets = open();
  EXPECT_THAT(secrets->locked()->message, HasSubstr("chmod 600"));
  EXPECT_EQ(value(*secrets, "A"), "error: locked");
}

TEST_F(SecretsTest, ADiskThatFailsChangesNothing) {
  store::FaultyVfs disk;
  auto secrets = open(store::FaultyVfs::kName);
  ASSERT_TRUE(secrets->set("A", "old"));
  disk.fail_writes_after(0);
  EXPECT_EQ(secrets->set("A", "new").error().code, store::StoreErrc::full);
  EXPECT_FALSE(secrets->set("B", "new"));
  EXPECT_FALSE(secrets->remove("A"));
  disk.fail_writes_after(-1);
  EXPECT_EQ(value(*secrets, "A"), "old");
  EXPECT_EQ(secrets->list().size(), 1U);
  secrets.reset();
  EXPECT_EQ(value(*open(), "A"), "old");
}

TEST_F(SecretsTest, APowerCutKeepsWhatWasSet) {
  store::FaultyVfs disk;
  const auto secrets = open(store::FaultyVfs::kName);  // closed last: a close would write
  ASSERT_TRUE(secrets->set("A", "kept"));
  disk.power_cut();
  EXPECT_EQ(value(*open(), "A"), "kept");
}

}  // namespace
}  // namespace mayfly::secrets
