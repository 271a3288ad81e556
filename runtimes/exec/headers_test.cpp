#include "exec/headers.h"

#include <gtest/gtest.h>

#include "exec/base64.h"

namespace mayfly::exec {
namespace {

TEST(Headers, Utf8IsWhatUnicodeSays) {
  for (const char* text :
       {"", "abc\n\t", "gr\xc3\xbcn", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"})
    EXPECT_TRUE(is_utf8_text(text, false)) << text;
  for (const char* text :
       {"\xff", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80", "a\xc3"})
    EXPECT_FALSE(is_utf8_text(text, false)) << text;
  EXPECT_FALSE(is_utf8_text(std::string_view("a\0b", 3), true));
  EXPECT_TRUE(is_utf8_text("a\xe2\x82", true)) << "the rest may follow";
  EXPECT_FALSE(is_utf8_text("a\xe2\x41", true));
}

TEST(Headers, PercentDecoding) {
  EXPECT_EQ(percent_decode("/a%20b%2f%C3%A4", false), "/a b/\xc3\xa4");
  EXPECT_EQ(percent_decode("a+b", false), "a+b");
  EXPECT_EQ(percent_decode("a+b%2B", true), "a b+");
  for (const char* text : {"%", "%4", "%zz", "%4g", "a%"}) EXPECT_EQ(percent_decode(text, false), text);
}

TEST(Headers, AQueryIsTakenApart) {
  std::string_view rest = "&a=1%20+&&b&=c&d=e=f&";
  std::string all;
  std::string name;
  std::string value;
  while (take_pair(rest, name, value)) all.append(name).append("[").append(value).append("]");
  EXPECT_EQ(all, "a[1  ]b[][c]d[e=f]");
}

TEST(Headers, FieldsGoInAndOut) {
  std::string headers;
  append_field(headers, "Content-Type", "a/b");
  append_field(headers, "X", "");
  EXPECT_TRUE(has_field(headers, "x"));
  EXPECT_FALSE(has_field(headers, "y"));
  std::string_view rest = headers;
  std::string_view name;
  std::string_view value;
  ASSERT_TRUE(take_field(rest, name, value));
  EXPECT_EQ(name, "content-type");
  EXPECT_EQ(value, "a/b");
  ASSERT_TRUE(take_field(rest, name, value));
  EXPECT_EQ(value, "");
  EXPECT_FALSE(take_field(rest, name, value));
}

TEST(Headers, ValuesHoldNoLineBreaks) {
  EXPECT_TRUE(is_field_value("a\tb \xc3\xbc"));
  for (const char* value : {"a\rb", "a\nb", "\x7f", "\x01"}) EXPECT_FALSE(is_field_value(value));
  EXPECT_FALSE(is_token("a b"));
  EXPECT_FALSE(is_token(""));
  EXPECT_TRUE(is_token("x-a_b!"));
}

TEST(Base64, BothWays) {
  const std::pair<const char*, const char*> pairs[] = {
      {"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
      {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xff\xfe\xfd", "//79"}};
  for (const auto& [bytes, text] : pairs) {
    EXPECT_EQ(base64_encode(bytes), text);
    EXPECT_EQ(base64_decode(text), bytes);
  }
  EXPECT_EQ(base64_decode("__79\n"), "\xff\xfe\xfd") << "the alphabet of URLs, and what is no letter";
}

}  // namespace
}  // namespace mayfly::exec
