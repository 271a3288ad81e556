#include "access/key_download.h"

#include <gtest/gtest.h>

#include <future>

#include "access/error.h"
#include "access/key_location.h"
#include "outbound/server_test_support.h"

namespace mayfly::access {
namespace {

using namespace std::chrono_literals;

struct KeyDownload : testing::Test {
  explicit KeyDownload(const outbound::AddressRules* rules = nullptr) : client({.rules = rules}) {}
  Result<std::string> read(const std::string& url, std::chrono::seconds longest = 20s) {
    std::promise<Result<std::string>> told;
    download_keys(client, url, longest, [&](auto text) { told.set_value(std::move(text)); });
    return told.get_future().get();
  }
  std::string why_not(const std::string& url, std::chrono::seconds longest = 20s) {
    const auto text = read(url, longest);
    EXPECT_FALSE(text);
    if (text) return "";
    EXPECT_EQ(text.error().code, AccessErrc::keys_unavailable);
    return text.error().message;
  }
  outbound::TestServer server{[this](outbound::TestServer::Socket& socket) {
    asked = outbound::TestServer::read_head(socket);
    outbound::TestServer::write(socket, answer);
  }};
  std::string answer;
  std::string asked;
  outbound::Client client;
};

std::string sized(std::size_t size, const std::string& status = "200 OK") {
  return "HTTP/1.1 " + status + "\r\ncontent-length: " + std::to_string(size) + "\r\n\r\n" +
         std::string(size, 'x');
}

TEST_F(KeyDownload, IsWhatStandsThere) {
  answer = sized(3);
  EXPECT_EQ(read(server.url("/keys?a=b")), "xxx");
  EXPECT_TRUE(asked.starts_with("GET /keys?a=b HTTP/1.1\r\n")) << asked;
}

TEST_F(KeyDownload, HasALimit) {
  answer = sized(kMostKeySetBytes);
  EXPECT_EQ(read(server.url()).value().size(), kMostKeySetBytes);
  answer = sized(kMostKeySetBytes + 1);
  EXPECT_EQ(why_not(server.url()), server.url() + ": it is larger than 1 MiB");
}

TEST_F(KeyDownload, OnlyAGoodAnswerCounts) {
  for (const char* status : {"404 Not Found", "500 Oh", "204 None", "302 Found"}) {
    answer = sized(2, status);
    EXPECT_EQ(why_not(server.url()), server.url() + ": it was answered " + std::string(status, 3));
  }
  answer = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhalf";
  why_not(server.url());
  why_not("http://127.0.0.1:1/k");
}

TEST_F(KeyDownload, EndsInTime) {
  std::promise<void> over;
  outbound::TestServer silent([&](outbound::TestServer::Socket&) { over.get_future().wait(); });
  why_not(silent.url(), 1s);
  over.set_value();
}

struct KeyDownloadOfRules : KeyDownload {
  KeyDownloadOfRules() : KeyDownload(&rules) {}
  outbound::AddressRules rules{};
};

TEST_F(KeyDownloadOfRules, AsksOnlyAddressesThatAreAllowed) {
  answer = sized(2);
  for (const auto* host : {"127.0.0.1", "localhost"})
    EXPECT_TRUE(why_not(server.url("/", host)).contains("--outbound-allow"));
  EXPECT_EQ(server.connections(), 0);
  rules = outbound::AddressRules::parse({"127.0.0.0/8"}).value();
  EXPECT_EQ(read(server.url()), "xx");
}

}  // namespace
}  // namespace mayfly::access
