#include "tls/channel.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/temp_folder.h"
#include "tls/test_certificate_test_support.h"

namespace mayfly::tls {
namespace {

using Step = Channel::Step;

/// A channel, and a client of OpenSSL's at the other end; both on this thread, without waiting.
struct ChannelTest : testing::Test {
  ChannelTest() {
    std::array<int, 2> fds{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()), 0);
    ours = Fd(fds[0]);
    theirs = Fd(fds[1]);
    files = make_certificate(folder.path(), "test");
    channel.emplace(server_context(files).value(), ours.get());
    trust = client_context(files.certificate).value();
    become("localhost");
  }
  void become(const std::string& host) {
    client.reset(client_connection(trust, host));
    ASSERT_TRUE(client);
    ::SSL_set_fd(client.get(), theirs.get());
  }
  /// Both go on until the channel is done or has failed.
  Step handshake() {
    for (int i = 0; i < 20; ++i) {
      const int result = ::SSL_connect(client.get());
      const auto step = channel->handshake();
      if (step == Step::failed || (step == Step::done && result == 1)) return step;
    }
    return Step::wants_input;
  }

  TempFolder folder;
  CertificateFiles files;
  Fd ours;
  Fd theirs;
  std::optional<Channel> channel;
  ContextPtr trust;
  std::unique_ptr<SSL, decltype(&::SSL_free)> client{nullptr, ::SSL_free};
};

TEST_F(ChannelTest, WaitsForTheClientAndSpeaksItsProtocol) {
  EXPECT_EQ(channel->handshake(), Step::wants_input);
  EXPECT_FALSE(channel->established());
  ASSERT_EQ(handshake(), Step::done);
  EXPECT_TRUE(channel->established());
  const unsigned char* protocol = nullptr;
  unsigned size = 0;
  ::SSL_get0_alpn_selected(client.get(), &protocol, &size);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(protocol), size), "http/1.1");
  EXPECT_EQ(::SSL_version(client.get()), TLS1_3_VERSION);
}

TEST_F(ChannelTest, BytesGoBothWaysAndPartsOfARecordAreNotForgotten) {
  ASSERT_EQ(handshake(), Step::done);
  std::array<char, 4> part{};
  EXPECT_EQ(channel->receive(part.data(), part.size()), -1);
  EXPECT_EQ(errno, EAGAIN);
  ASSERT_EQ(::SSL_write(client.get(), "abcdefghij", 10), 10);
  ASSERT_EQ(channel->receive(part.data(), part.size()), 4);
  EXPECT_EQ(std::string_view(part.data(), 4), "abcd");
  EXPECT_EQ(channel->pending(), 6U) << "the socket has nothing any more";
  ASSERT_EQ(channel->receive(part.data(), part.size()), 4);
  ASSERT_EQ(channel->receive(part.data(), part.size()), 2);
  EXPECT_EQ(channel->pending(), 0U);
  ASSERT_EQ(channel->send("xyz", 3), 3);
  ASSERT_EQ(::SSL_read(client.get(), part.data(), 4), 3);
}

TEST_F(ChannelTest, ASocketThatIsFullIsTriedAgainFromElsewhere) {
  ASSERT_EQ(handshake(), Step::done);
  std::string sent(1U << 20U, '\0');
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>('a' + i % 23);
  std::string got;
  std::string space(65536, '\0');
  std::string rest = sent;  // moves in memory as it is taken off
  int full = 0;
  while (got.size() < sent.size()) {
    const auto done = rest.empty() ? 0 : channel->send(rest.data(), rest.size());
    if (done > 0) {
      rest = rest.substr(static_cast<std::size_t>(done));
      continue;
    }
    if (!rest.empty()) {
      ASSERT_EQ(errno, EAGAIN);
      ++full;
      rest += "";  // what comes behind it does not matter
      rest.shrink_to_fit();
    }
    const int taken = ::SSL_read(client.get(), space.data(), static_cast<int>(space.size()));
    if (taken > 0) got.append(space, 0, static_cast<std::size_t>(taken));
  }
  EXPECT_GT(full, 0);
  EXPECT_TRUE(got == sent);
}

TEST_F(ChannelTest, GoodbyeIsToldFromACut) {
  ASSERT_EQ(handshake(), Step::done);
  channel->goodbye();
  std::array<char, 4> part{};
  EXPECT_EQ(::SSL_read(client.get(), part.data(), 4), 0);
  EXPECT_EQ(::SSL_get_error(client.get(), 0), SSL_ERROR_ZERO_RETURN);
  ::SSL_shutdown(client.get());
  EXPECT_EQ(channel->receive(part.data(), part.size()), 0);
}

TEST_F(ChannelTest, AClientThatCutsIsAnErrorAndGoodbyeIsQuietThen) {
  ASSERT_EQ(handshake(), Step::done);
  theirs.reset();
  std::array<char, 4> part{};
  EXPECT_EQ(channel->receive(part.data(), part.size()), -1);
  EXPECT_NE(errno, EAGAIN);
  channel->goodbye();
}

TEST_F(ChannelTest, WhoSpeaksPlainHttpOrNonsenseFails) {
  for (const std::string_view text : {std::string_view("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
                                      std::string_view("\x16\x03\x01\xff\xff\x02")}) {
    ASSERT_GT(::send(theirs.get(), text.data(), text.size(), 0), 0);
    EXPECT_NE(channel->handshake(), Step::done);
  }
  EXPECT_EQ(channel->handshake(), Step::failed);
}

TEST_F(ChannelTest, OldVersionsAndOtherProtocolsAreRefused) {
  ::SSL_set_min_proto_version(client.get(), TLS1_1_VERSION);
  ::SSL_set_max_proto_version(client.get(), TLS1_1_VERSION);
  ::SSL_set_security_level(client.get(), 0);
  EXPECT_EQ(handshake(), Step::failed);
}

TEST_F(ChannelTest, AProtocolThatIsNotSpokenIsRefused) {
  const std::array<unsigned char, 3> h2{2, 'h', '2'};
  ::SSL_set_alpn_protos(client.get(), h2.data(), h2.size());
  EXPECT_EQ(handshake(), Step::failed);
}

TEST_F(ChannelTest, AClientOfOursBelievesOnlyTheNameItAskedFor) {
  become("elsewhere");
  EXPECT_NE(handshake(), Step::done);
  EXPECT_EQ(::SSL_get_verify_result(client.get()), X509_V_ERR_HOSTNAME_MISMATCH);
}

TEST_F(ChannelTest, AnAddressIsANameToo) {
  become("127.0.0.1");
  EXPECT_EQ(handshake(), Step::done);
}

TEST_F(ChannelTest, AClientOfOursBelievesOnlyItsAuthorities) {
  trust = client_context(make_certificate(folder.path(), "other").certificate).value();
  become("localhost");
  EXPECT_NE(handshake(), Step::done);
  EXPECT_NE(::SSL_get_verify_result(client.get()), X509_V_OK);
}

}  // namespace
}  // namespace mayfly::tls
