#include "wire/log_record.h"

#include <gtest/gtest.h>

namespace mayfly::wire {
namespace {

TEST(LogRecord, SurvivesTheTripAndSeveralShareAPacket) {
  std::string packet;
  append_log_record(packet, {LogLevel::warn, "inv-1", "first", 0, 3});
  append_log_record(packet, {LogLevel::info, "", "second", 0, 0});
  std::string_view rest = packet;
  LogRecord record;
  ASSERT_TRUE(take_log_record(rest, record));
  EXPECT_EQ(record.level, LogLevel::warn);
  EXPECT_EQ(record.invocation, "inv-1");
  EXPECT_EQ(record.text, "first");
  EXPECT_EQ(record.full_length, 5U);
  EXPECT_EQ(record.dropped, 3U);
  ASSERT_TRUE(take_log_record(rest, record));
  EXPECT_EQ(record.text, "second");
  EXPECT_FALSE(take_log_record(rest, record));
}

TEST(LogRecord, IsPutIntoRoomThatIsThereOrNotAtAll) {
  const LogRecord record{LogLevel::error, "inv-1", std::string_view("some text"), 12, 3};
  std::string expected;
  append_log_record(expected, record);
  std::string room(expected.size(), '\0');
  EXPECT_EQ(put_log_record(room, record), expected.size());
  EXPECT_EQ(room, expected);
  room.assign(expected.size() - 1, '?');
  EXPECT_EQ(put_log_record(room, record), 0U);
  EXPECT_EQ(room, std::string(expected.size() - 1, '?'));
}

TEST(LogRecord, ALongLineIsCutAndItsLengthKept) {
  std::string packet;
  const std::string line(1'000'000, 'x');
  append_log_record(packet, {LogLevel::info, "", line, 0, 0});
  EXPECT_LT(packet.size(), kMaxLogPacket);
  std::string_view rest = packet;
  LogRecord record;
  ASSERT_TRUE(take_log_record(rest, record));
  EXPECT_EQ(record.text.size(), kMaxLogText);
  EXPECT_EQ(record.full_length, line.size());
}

TEST(LogRecord, MalformedPacketsAreRefused) {
  std::string packet;
  append_log_record(packet, {LogLevel::info, "i", "text", 0, 0});
  for (std::size_t length = 0; length < packet.size(); ++length) {
    auto rest = std::string_view(packet).substr(0, length);
    LogRecord record;
    EXPECT_FALSE(take_log_record(rest, record)) << length;
  }
  packet[0] = 'x';
  std::string_view rest = packet;
  LogRecord record;
  EXPECT_FALSE(take_log_record(rest, record));
}

}  // namespace
}  // namespace mayfly::wire
