#include "access/key_source.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <fstream>

#include "access/jwt_test_support.h"
#include "access/key_location.h"
#include "base/fd.h"
#include "base/temp_folder.h"
#include "outbound/server_test_support.h"
#include "registry/error.h"

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
        [this](const std::string& location, KeySource::State state, const std::string& why) {
          constexpr std::array<const char*, 4> kNames{" is good", " is empty", " is bad", " has expired"};
          const std::lock_guard lock(mutex);
          said.push_back(location + kNames.at(static_cast<std::size_t>(state)));
          EXPECT_EQ(why.empty(), state == KeySource::State::good) << why;
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

  const MonotonicTime begun = std::chrono::steady_clock::now();
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

TEST_F(KeySourceTest, ASetWithoutKeysWithdrawsThoseThatWere) {
  const auto file = write("keys", Issuer("old").jwks());
  const auto source = start();
  for (const char* nothing : {R"({"keys":[]})", R"({"keys":[{"kty":"oct","k":"AAAA","kid":"old"}]})"}) {
    std::ignore = write("keys", Issuer("old").jwks());
    source->want({file});
    source->refresh(file);
    ASSERT_TRUE(until([&] { return has(file, "old"); }));
    std::ignore = write("keys", nothing);
    source->refresh(file);
    ASSERT_TRUE(until([&] { return sets->at(file)->size() == 0; })) << nothing;
  }
  EXPECT_TRUE(
      until([&] { return said == std::vector{file + " is empty", file + " is good", file + " is empty"}; }));
}

TEST_F(KeySourceTest, KeysThatCannotBeReadAgainExpire) {
  const auto file = write("keys", Issuer("old").jwks());
  const auto source = start({.file_interval = 3600s, .pause = 0s, .oldest = 0s});
  source->want({file});
  ASSERT_TRUE(until([&] { return has(file, "old"); }));
  std::ignore = write("keys", "<html>");
  source->refresh(file);
  ASSERT_TRUE(until([&] { return said == std::vector{file + " has expired"}; }));
  EXPECT_FALSE(sets->contains(file)) << "nothing is known of it";
  std::ignore = write("keys", Issuer("old").jwks());
  EXPECT_TRUE(until([&] { return has(file, "old") && said.size() == 2; }));
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

/// Answers nobody until it is told to.
class SilentServer {
 public:
  [[nodiscard]] std::string url(const std::string& path = "/") const { return server_.url(path); }
  [[nodiscard]] int connections() const { return server_.connections(); }
  void until_asked(int count) const {
    while (server_.connections() < count) std::this_thread::yield();
  }
  void answer_all() {
    const std::lock_guard lock(mutex_);
    for (const auto& held : std::exchange(held_, {}))
      EXPECT_GT(::send(held.get(), kNothing.data(), kNothing.size(), MSG_NOSIGNAL), 0);
  }

 private:
  static constexpr std::string_view kNothing =
      "HTTP/1.1 404 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
  std::mutex mutex_;
  std::vector<Fd> held_;
  outbound::TestServer server_{[this](outbound::TestServer::Socket& socket) {
    const std::lock_guard lock(mutex_);
    held_.emplace_back(socket.release());
  }};
};

std::string answer_with(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

/// A server that says this to everyone.
struct Serving : outbound::TestServer {
  explicit Serving(std::string answer)
      : TestServer([text = std::move(answer)](Socket& socket) {
          read_head(socket);
          write(socket, text);
        }) {}
};

TEST_F(KeySourceTest, AServerThatNeverAnswersDelaysNobodyElse) {
  SilentServer silent;
  const Serving good(answer_with(Issuer("1").jwks()));
  const auto source = start({.longest = 3600s});
  source->want({silent.url()});
  silent.until_asked(1);
  source->want({silent.url(), good.url()});
  EXPECT_TRUE(until([&] { return has(good.url(), "1"); }));
}

TEST_F(KeySourceTest, AServerIsAskedAFewTimesAtOnce) {
  SilentServer silent;
  const auto source = start({.pause = 3600s, .longest_pause = 3600s, .longest = 3600s, .most_of_host = 2});
  std::set<std::string> wanted;
  for (char name = 'a'; name < 'e'; ++name) wanted.insert(silent.url(std::string("/") + name));
  source->want(wanted);
  silent.until_asked(2);
  for (int turn = 0; turn < 20; ++turn) {
    const auto file = write("keys" + std::to_string(turn), Issuer("1").jwks());
    wanted.insert(file);
    source->want(wanted);
    ASSERT_TRUE(until([&] { return has(file, "1"); }));
  }
  EXPECT_EQ(silent.connections(), 2);
  silent.answer_all();
  silent.until_asked(4);  // those that waited have their turn
}

TEST_F(KeySourceTest, AFewUrlsAreReadAtOnce) {
  SilentServer silent;
  const Serving good(answer_with(Issuer("1").jwks()));
  const auto source = start({.pause = 3600s, .longest_pause = 3600s, .longest = 3600s, .most_at_once = 1});
  source->want({silent.url()});
  silent.until_asked(1);
  const auto file = write("keys", Issuer("1").jwks());
  source->want({silent.url(), good.url(), file});
  ASSERT_TRUE(until([&] { return has(file, "1"); }));
  EXPECT_EQ(good.connections(), 0);
  silent.answer_all();
  EXPECT_TRUE(until([&] { return has(good.url(), "1"); }));
}

TEST_F(KeySourceTest, WhatFailsAgainAndAgainIsReadLessOften) {
  const Serving bad("HTTP/1.1 500 No\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
  const auto source = start({.pause = 100ms, .longest_pause = 3600s});
  source->want({bad.url()});
  while (bad.connections() < 4) source->refresh(bad.url());
  EXPECT_GE(std::chrono::steady_clock::now() - begun, 700ms) << "100 and 200 and 400, whoever asks for it";
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

TEST(KeyLocation, ThereAreSoManyPlaces) {
  std::set<std::string> known;
  while (known.size() < kMostKeyLocations) {
    EXPECT_TRUE(check_key_location("/new", known));
    known.insert("/" + std::to_string(known.size()));
  }
  EXPECT_TRUE(check_key_location("/0", known)) << "it is read already";
  const auto refused = check_key_location("/new", known);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, registry::RegistryErrc::bad_config);
  EXPECT_TRUE(refused.error().message.contains("at most 256")) << refused.error().message;
}

TEST(KeyLocation, OfAllVersionsWithTokens) {
  const auto function = std::make_shared<registry::Function>();
  for (std::uint32_t number = 1; number <= 3; ++number) {
    auto version = std::make_shared<registry::Version>();
    version->config.jwt.jwks = "/" + std::to_string(number);
    if (number > 1) version->config.access = registry::Access::jwt;
    function->versions[number] = std::move(version);
  }
  EXPECT_EQ(key_locations({function}), (std::set<std::string>{"/2", "/3"}));
}

TEST(KeyFile, HasALimit) {
  const TempFolder folder;
  const auto file = (folder.path() / "large").string();
  std::ofstream(file) << std::string(1U << 20U, 'x');
  EXPECT_EQ(read_key_file(file).value().size(), 1U << 20U);
  std::ofstream(file, std::ios::app) << "x";
  EXPECT_FALSE(read_key_file(file));
  EXPECT_FALSE(read_key_file((folder.path() / "nothing").string()));
}

TEST(KeyFile, IsNoPipe) {
  const TempFolder folder;
  const auto pipe = (folder.path() / "pipe").string();
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_FALSE(read_key_file(pipe));
  EXPECT_FALSE(read_key_file("/dev/zero"));
}

}  // namespace
}  // namespace mayfly::access
