#include "bridge/log_sender.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <vector>

namespace mayfly::bridge {
namespace {

class LogSenderTest : public testing::Test {
 protected:
  void SetUp() override {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    daemon = Fd(ends[0]);
    sender.open(Fd(ends[1]));
  }
  void log(const std::string& text) {
    sender.log({wire::LogLevel::info, {}, text, static_cast<std::uint32_t>(text.size()), 0});
    ++logged;
  }
  /// Takes what has come; counts the lines and those that are told to be lost.
  void take() {
    std::vector<char> packet(wire::kMaxLogPacket);
    for (;;) {
      const auto got = ::recv(daemon.get(), packet.data(), packet.size(), MSG_DONTWAIT);
      if (got <= 0) return;
      std::string_view bytes(packet.data(), static_cast<std::size_t>(got));
      wire::LogRecord record;
      while (wire::take_log_record(bytes, record)) {
        lost += record.dropped;
        if (!record.text.empty()) ++kept;
      }
    }
  }
  [[nodiscard]] bool has_room() const {
    pollfd socket{sender.fd(), POLLOUT, 0};
    return ::poll(&socket, 1, 0) == 1;
  }

  LogSender sender;
  Fd daemon;
  std::size_t logged = 0, kept = 0, lost = 0;
};

TEST_F(LogSenderTest, what_was_refused_is_sent_or_counted_though_no_line_follows) {
  const std::string text(10'000, 'x');
  while (!sender.waiting()) log(text);
  EXPECT_FALSE(has_room()) << "who waits for room is not woken before there is some";
  for (int i = 0; i < 200; ++i) log(text);  // more than it keeps
  for (int turns = 0; sender.waiting() && turns < 1000; ++turns) {
    take();
    ASSERT_TRUE(has_room());
    sender.flush();
  }
  take();
  EXPECT_FALSE(sender.waiting());
  EXPECT_GT(lost, 0U);
  EXPECT_EQ(kept + lost, logged);
}

TEST_F(LogSenderTest, what_a_template_could_not_send_is_not_its_childrens_to_send) {
  while (!sender.waiting()) log("x");
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
  daemon = Fd(ends[0]);
  sender.open(Fd(ends[1]));
  EXPECT_FALSE(sender.waiting());
  log("own");
  take();
  EXPECT_EQ(kept, 1U);
}

}  // namespace
}  // namespace mayfly::bridge
