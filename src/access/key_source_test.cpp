#include "access/key_source.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "access/jwt_test_support.h"
#include "base/temp_folder.h"
#include "outbound/server_test_support.h"

namespace mayfly::access {
namespace {

using namespace std::chrono_literals;

/// What a source has published and said.
struct KeySourceTest : testing::Test {
  std::unique_ptr<KeySource> start(KeySourceOptions options = {.file_interval = 3600s, .pause = 0s}) {
    return std::make_unique<KeySource>(
        options,
        [this](KeySetsPtr now) {
          const std::lock_guard lock(mutex);
          sets = std::move(now);
          ++published;
          changed.notify_all();
        },
        [this](const std::string& location, const Result<void>& state) {
          const std::lock_guard lock(mutex);
          said.push_back(location + (state ? " is good" : " is bad"));
          changed.notify_all();
        });
  }
  template <class F>
  bool until(F done) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, 20s, done);
  }
  [[nodiscard]] bool has(const std::string& location, const std::string& id) const {
    if (!sets) return false;
    const auto found = sets->find(location);
    return found != sets->end() && found->second->find(id, Algorithm::eddsa) != nullptr;
  }
  [[nodiscard]] std::string write(const std::string& name, const std::string& text) const {
    const auto draft = folder.path() / "draft";
    std::ofstream(draft) << text;
    std::filesystem::rename(draft, folder.path() / name);
    return (folder.path() / name).string();
  }

  TempFolder folder;
  std::mutex mutex;
  std::condition_variable changed;
  KeySetsPtr sets;
  int published = 0;
  std::vector<std::string> said;
};

TEST_F(KeySourceTest, ReadsWhatIsWantedAndForgetsWhatIsNot) {
  const auto one = write("one", Issuer("1").jwks());
  const auto two = write("two", Issuer("2").jwks());
  const auto source = start();
  source->want({one, two});
  EXPECT_TRUE(until([&] { return has(one, "1") && has(two, "2"); }));
  source->want({two});
  EXPECT_TRUE(until([&] { return !has(one, "1") && has(two, "2"); }));
}

TEST_F(KeySourceTest, ReadsAgainWhenAKeyIsMissing) {
  const auto file = write("keys", Issuer("old").jwks());
  const auto source = start();
  source->want({file});
  ASSERT_TRUE(until([&] { return has(file, "old"); }));
  std::ignore = write("keys", Issuer("new").jwks());
  source->refresh(file);
  EXPECT_TRUE(until([&] { return has(file, "new") && !has(file, "old"); }));
  source->refresh("/of/nobody");
}

TEST_F(KeySourceTest, KeepsOldKeysWhileThereAreNoNewOnes) {
  const auto file = write("keys", Issuer("old").jwks());
  const auto source = start();
  source->want({file});
  ASSERT_TRUE(until([&] { return has(file, "old"); }));
  std::ignore = write("keys", "<html>");
  source->refresh(file);
  ASSERT_TRUE(until([&] { return said == std::vector{file + " is bad"}; }));
  EXPECT_TRUE(has(file, "old"));
  std::ignore = write("keys", Issuer("new").jwks());
  EXPECT_TRUE(until([&] { return has(file, "new") && said.size() == 2; })) << "after the pause, unasked";
  EXPECT_EQ(said.back(), file + " is good");
}

TEST_F(KeySourceTest, AskingAgainAndAgainIsOneReading) {
  const auto file = write("keys", Issuer("old").jwks());
  const auto source = start({.file_interval = 3600s, .pause = 3600s});
  source->want({file});
  ASSERT_TRUE(until([&] { return has(file, "old"); }));
  std::ignore = write("keys", Issuer("new").jwks());
  for (int i = 0; i < 100; ++i) source->refresh(file);
  const auto other = write("other", Issuer("other").jwks());
  source->want({file, other});
  ASSERT_TRUE(until([&] { return has(other, "other"); })) << "it has had its turn";
  EXPECT_TRUE(has(file, "old"));
}

TEST(KeyLocation, IsAFileOrHttpsOrTheLoopback) {
  for (const auto* good :
       {"/etc/keys.json", "https://issuer/.well-known/jwks.json", "http://127.0.0.1:8000/k",
        "http://localhost/k", "http://[::1]:8/k", "http://[::1]"})
    EXPECT_TRUE(is_key_location(good)) << good;
  for (const auto* bad :
       {"", "keys.json", "https://", "http://issuer/k", "http://127.0.0.1.evil/k", "ftp://x/k",
        "file:///etc/passwd", "http://127.0.0.1@evil/k", "http://localhost:1@evil/", "https://a b", "/a\nb"})
    EXPECT_FALSE(is_key_location(bad)) << bad;
}

TEST(ReadLocation, HasALimit) {
  const TempFolder folder;
  const auto file = (folder.path() / "large").string();
  std::ofstream(file) << std::string(1U << 20U, 'x');
  EXPECT_EQ(read_location(file, {}).value().size(), 1U << 20U);
  std::ofstream(file, std::ios::app) << "x";
  EXPECT_FALSE(read_location(file, {}));
  EXPECT_FALSE(read_location((folder.path() / "nothing").string(), {}));
  EXPECT_FALSE(read_location("http://127.0.0.1:1/k", {}));
}

TEST(ReadLocation, DoesNotWaitForAPipe) {
  const TempFolder folder;
  const auto pipe = (folder.path() / "pipe").string();
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_FALSE(read_location(pipe, {}));
  EXPECT_FALSE(read_location("/dev/zero", {}));
}

TEST(ReadLocation, AsksOnlyAddressesThatAreAllowed) {
  outbound::TestServer server([](outbound::TestServer::Socket& socket) {
    outbound::TestServer::read_head(socket);
    outbound::TestServer::write(socket, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
  });
  const outbound::AddressRules none{};
  for (const auto* host : {"127.0.0.1", "localhost"}) {
    const auto refused = read_location(server.url("/", host), {.rules = &none});
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("--outbound-allow"), std::string::npos) << refused.error().message;
  }
  EXPECT_EQ(server.connections(), 0);
  const auto loopback = outbound::AddressRules::parse({"127.0.0.0/8"}).value();
  EXPECT_EQ(read_location(server.url(), {.rules = &loopback}).value(), "{}");
}

}  // namespace
}  // namespace mayfly::access
