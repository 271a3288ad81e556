#include "admin/token.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>
#include <vector>

#include "base/temp_folder.h"

namespace mayfly::admin {
namespace {

struct TokenFile : testing::Test {
  TempFolder folder;
  std::filesystem::path file = folder.path() / "admin-token";

  void write(const std::string& text, mode_t mode) const {
    std::ofstream(file) << text;
    ASSERT_EQ(::chmod(file.c_str(), mode), 0);
  }
};

TEST_F(TokenFile, IsMadeOnceForItsOwnerOnly) {
  const auto token = load_or_create_token(folder.path());
  ASSERT_TRUE(token) << token.error().message;
  EXPECT_EQ(token->size(), 64U);
  struct stat info{};
  ASSERT_EQ(::stat(file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  EXPECT_EQ(load_or_create_token(folder.path()).value(), *token);
  const std::filesystem::directory_iterator entries(folder.path());
  EXPECT_EQ(std::distance(begin(entries), end(entries)), 1) << "a draft was left";
}

TEST_F(TokenFile, TwoDaemonsGetTheSame) {
  std::vector<Result<std::string>> tokens(8, std::string());
  std::vector<std::thread> threads;
  for (auto& token : tokens) threads.emplace_back([&] { token = load_or_create_token(folder.path()); });
  for (auto& thread : threads) thread.join();
  for (const auto& token : tokens) {
    ASSERT_TRUE(token);
    EXPECT_EQ(*token, *tokens[0]);
  }
}

TEST_F(TokenFile, OfTheUsersOwnIsTaken) {
  write("  secret \n", 0600);
  EXPECT_EQ(load_or_create_token(folder.path()), "secret");
}

TEST_F(TokenFile, ThatOthersCanReadIsRefused) {
  write("secret\n", 0644);
  const auto token = load_or_create_token(folder.path());
  ASSERT_FALSE(token);
  EXPECT_NE(token.error().message.find("chmod 600"), std::string::npos);
}

TEST_F(TokenFile, ThatIsEmptyIsRefused) {
  write("\n", 0600);
  EXPECT_FALSE(load_or_create_token(folder.path()));
}

TEST(Authorizes, TheRightTokenOnly) {
  EXPECT_TRUE(authorizes("Bearer secret", "secret"));
  EXPECT_TRUE(authorizes("bearer  secret ", "secret"));
  for (const char* header : {"", "Bearer", "Bearer ", "Bearer secre", "Bearer secrets", "Bearer Secret",
                             "Basic secret", "secret", "Bearer secretsecret"})
    EXPECT_FALSE(authorizes(header, "secret")) << header;
  EXPECT_FALSE(authorizes("Bearer ", "")) << "no token is no way in";
}

}  // namespace
}  // namespace mayfly::admin
