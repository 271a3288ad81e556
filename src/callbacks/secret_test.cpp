#include "callbacks/secret.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "base/temp_folder.h"

namespace mayfly::callbacks {
namespace {

/// The example of the Standard Webhooks libraries' own tests.
TEST(CallbackSecret, SignsAsOthersDo) {
  const auto secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  ASSERT_TRUE(secret);
  EXPECT_EQ(secret->sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, R"({"test": 2432232314})"),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST(CallbackSecret, IsMadeOnceAndForItsOwnerAlone) {
  const TempFolder folder;
  const auto first = Secret::load_or_create(folder.path());
  const auto second = Secret::load_or_create(folder.path());
  ASSERT_TRUE(first && second);
  EXPECT_TRUE(first->text().starts_with("whsec_"));
  EXPECT_EQ(first->text(), second->text());
  struct stat info{};
  ASSERT_EQ(::stat((folder.path() / "callback-secret").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  const TempFolder other;
  EXPECT_NE(Secret::load_or_create(other.path())->text(), first->text());
}

TEST(CallbackSecret, AFileThatHoldsNoneIsNotReplaced) {
  const TempFolder folder;
  const auto file = folder.path() / "callback-secret";
  std::ofstream(file) << "whsec_short\n";
  ASSERT_EQ(::chmod(file.c_str(), 0600), 0);
  const auto secret = Secret::load_or_create(folder.path());
  ASSERT_FALSE(secret);
  EXPECT_NE(secret.error().message.find(file.string()), std::string::npos);
}

TEST(CallbackSecret, AFileThatOthersCanReadIsRefused) {
  const TempFolder folder;
  ASSERT_TRUE(Secret::load_or_create(folder.path()));
  ASSERT_EQ(::chmod((folder.path() / "callback-secret").c_str(), 0644), 0);
  EXPECT_FALSE(Secret::load_or_create(folder.path()));
}

}  // namespace
}  // namespace mayfly::callbacks
