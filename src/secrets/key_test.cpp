#include "secrets/key.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "base/temp_folder.h"

namespace mayfly::secrets {
namespace {

TEST(Key, IsMadeOnceAndLoadedAgain) {
  const TempFolder folder;
  ASSERT_FALSE(Key::load(folder.path()).value()) << "there is none yet";
  const auto made = Key::create(folder.path());
  ASSERT_TRUE(made) << made.error().message;
  struct stat info{};
  ASSERT_EQ(::stat(key_file(folder.path()).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  const auto loaded = Key::load(folder.path()).value();
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->open("A", made->seal("A", "value")).value().view(), "value");
  EXPECT_EQ(loaded->fingerprint(), made->fingerprint());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1) << "no draft is left";

  EXPECT_FALSE(Key::create(folder.path())) << "a key that is there is never overwritten";
  EXPECT_EQ(Key::load(folder.path()).value()->fingerprint(), made->fingerprint());
}

TEST(Key, AFileThatIsNoneIsRefused) {
  const TempFolder folder;
  const auto file = key_file(folder.path());
  const auto refused = [&](const std::string& text) {
    std::ofstream(file) << text;
    ::chmod(file.c_str(), 0600);
    const auto loaded = Key::load(folder.path());
    return !loaded && loaded.error().code == SecretsErrc::locked;
  };
  EXPECT_TRUE(refused(""));
  EXPECT_TRUE(refused(std::string(63, 'a')));
  EXPECT_TRUE(refused(std::string(66, 'a')));
  EXPECT_TRUE(refused(std::string(63, 'a') + "x\n"));
  EXPECT_FALSE(refused(std::string(64, 'a') + "\n"));
  EXPECT_FALSE(refused(std::string(64, 'a')));
  ::chmod(file.c_str(), 0640);
  EXPECT_EQ(Key::load(folder.path()).error().code, SecretsErrc::locked) << "others may read it";
}

TEST(Key, OnlyWhatItSealedUnderThatNameOpens) {
  const TempFolder one;
  const TempFolder two;
  const auto key = Key::create(one.path()).value();
  const auto other = Key::create(two.path()).value();
  EXPECT_NE(key.fingerprint(), other.fingerprint());
  const auto sealed = key.seal("NAME", "value");
  EXPECT_NE(sealed, key.seal("NAME", "value")) << "each has a nonce of its own";
  EXPECT_EQ(sealed.find("value"), std::string::npos);
  EXPECT_EQ(key.open("NAME", sealed).value().view(), "value");
  EXPECT_EQ(other.open("NAME", sealed).error().code, SecretsErrc::damaged);
  EXPECT_EQ(key.open("OTHER", sealed).error().code, SecretsErrc::damaged);
  EXPECT_EQ(key.open("NAME", sealed.substr(0, 39)).error().code, SecretsErrc::damaged);
  EXPECT_EQ(key.open("NAME", "").error().code, SecretsErrc::damaged);
  for (std::size_t at = 0; at < sealed.size(); ++at) {
    auto tampered = sealed;
    tampered[at] ^= 1;
    EXPECT_FALSE(key.open("NAME", tampered)) << "byte " << at;
  }
  EXPECT_EQ(key.open("NAME", sealed.substr(0, sealed.size() - 1)).error().message.find("value"),
            std::string::npos);
}

TEST(Plaintext, GrowsAndMoves) {
  Plaintext text;
  std::string expected;
  for (int i = 0; i < 1'000; ++i) {
    text.append("piece " + std::to_string(i));
    expected += "piece " + std::to_string(i);
  }
  EXPECT_EQ(text.view(), expected);
  Plaintext moved = std::move(text);
  EXPECT_EQ(moved.view(), expected);
  std::string wiped = "short";
  wipe(wiped);
  EXPECT_EQ(wiped, "");
  EXPECT_EQ(std::string_view(wiped.data(), 5), std::string_view("\0\0\0\0\0", 5));
}

}  // namespace
}  // namespace mayfly::secrets
