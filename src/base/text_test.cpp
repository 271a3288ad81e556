#include "base/text.h"

#include <gtest/gtest.h>

#include <array>

namespace mayfly {
namespace {

using namespace std::chrono_literals;

TEST(Trimmed, HasNoBlanksAround) {
  EXPECT_EQ(trimmed(" \ta b\r\n"), "a b");
  EXPECT_EQ(trimmed("a"), "a");
  EXPECT_EQ(trimmed(" \n"), "");
  EXPECT_EQ(trimmed(""), "");
}

TEST(BeginningOf, CutsNoCharacterInTwo) {
  EXPECT_EQ(beginning_of("abc", 3), "abc");
  EXPECT_EQ(beginning_of("abc", 2), "ab");
  EXPECT_EQ(beginning_of("a\xc3\xa4z", 2), "a");
  EXPECT_EQ(beginning_of("a\xc3\xa4z", 3), "a\xc3\xa4");
  EXPECT_EQ(beginning_of("\xe2\x82\xac", 2), "");
}

TEST(SizeInWords, IsRoundedForPeople) {
  EXPECT_EQ(size_in_words(900), "900 bytes");
  EXPECT_EQ(size_in_words(128U << 20U), "128 MiB");
  EXPECT_EQ(size_in_words(3U << 29U), "1.5 GiB");
  EXPECT_EQ(size_in_words((1U << 20U) - 1), "1 MiB");
}

TEST(ParseInteger, TakesTheWholeText) {
  EXPECT_EQ(parse_integer("-12"), -12);
  for (const char* bad : {"", " 1", "1 ", "1.0", "0x1", "99999999999999999999"})
    EXPECT_FALSE(parse_integer(bad)) << bad;
}

TEST(Duration, IsReadAndWritten) {
  EXPECT_EQ(parse_duration("10s"), 10s);
  EXPECT_EQ(parse_duration("500ms"), 500ms);
  EXPECT_EQ(parse_duration("5m"), 5min);
  EXPECT_EQ(parse_duration("1.5 h"), 90min);
  EXPECT_EQ(parse_duration("1.5d"), 36h);
  EXPECT_EQ(parse_duration("0s"), 0s);
  for (const char* bad : {"", "10", "s", "-1s", "1e3s", "1 0s", "10S", "inf s", "0.1ms", ".5s", "1.2.3s",
                          "1s ", "99999999999999999999h"})
    EXPECT_FALSE(parse_duration(bad)) << bad;
  for (const char* text : {"10s", "1500ms", "5m", "2h", "0ms", "90m", "1d", "25h"})
    EXPECT_EQ(format_duration(parse_duration(text).value_or(99s)), text);
}

TEST(Size, IsReadAndWritten) {
  EXPECT_EQ(parse_size("128MiB"), 128U << 20U);
  EXPECT_EQ(parse_size("1GB"), 1'000'000'000U);
  EXPECT_EQ(parse_size("1.5 GiB"), 3ULL << 29U);
  EXPECT_EQ(parse_size("4096"), 4096U);
  EXPECT_EQ(parse_size("2KB"), parse_size("2kB"));
  for (const char* bad : {"", "MiB", "-1MiB", "1mib", "1MiBs", "1e9", "99999999999TiB"})
    EXPECT_FALSE(parse_size(bad)) << bad;
  for (const char* text : {"128MiB", "1GB", "1000001B", "0B", "2kB"})
    EXPECT_EQ(format_size(parse_size(text).value_or(99)), text);
}

TEST(Timestamp, IsUtcWithMilliseconds) {
  using std::chrono::system_clock;
  EXPECT_EQ(timestamp(system_clock::time_point(1'700'000'000'007ms)), "2023-11-14T22:13:20.007Z");
  EXPECT_EQ(timestamp(system_clock::time_point{}), "1970-01-01T00:00:00.000Z");
}

TEST(VariableName, IsAnIdentifier) {
  EXPECT_TRUE(is_variable_name("_A1"));
  for (const char* bad : {"", "1A", "A B", "A=B", "A-B"}) EXPECT_FALSE(is_variable_name(bad)) << bad;
}

TEST(PlainText, IsUtf8WithoutZeroBytes) {
  using namespace std::string_view_literals;
  for (const auto good : {""sv, "text\n"sv, "\x7f"sv, "\xc2\x80\xdf\xbf"sv, "\xe0\xa0\x80\xef\xbf\xbd"sv,
                          "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"sv})
    EXPECT_TRUE(is_plain_text(good)) << good;
  for (const auto bad :
       {"a\0b"sv, "\x80"sv, "\xc3"sv, "\xc0\x80"sv, "\xc1\xbf"sv, "\xe0\x9f\xbf"sv, "\xed\xa0\x80"sv,
        "\xf0\x8f\xbf\xbf"sv, "\xf4\x90\x80\x80"sv, "\xf5\x80\x80\x80"sv, "\xe2\x82"sv, "\xff"sv})
    EXPECT_FALSE(is_plain_text(bad)) << testing::PrintToString(bad);
}

TEST(Nearest, FindsWhatWasMeant) {
  constexpr std::array<std::string_view, 4> names{"timeout", "memory", "concurrency", "env"};
  EXPECT_EQ(nearest("timout", names), "timeout");
  EXPECT_EQ(nearest("memroy", names), "memory");
  EXPECT_EQ(nearest("evn", names), "env");
  EXPECT_EQ(nearest("colour", names), "");
  EXPECT_EQ(nearest("", names), "");
  EXPECT_EQ(nearest(std::string(100'000, 'x'), names), "");
  EXPECT_EQ(did_you_mean("timout", names), " (did you mean 'timeout'?)");
  EXPECT_EQ(did_you_mean("x", names), "");
}

}  // namespace
}  // namespace mayfly
