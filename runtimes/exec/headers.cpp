#include "exec/headers.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>

namespace mayfly::exec {

bool take_field(std::string_view& headers, std::string_view& name, std::string_view& value) {
  const auto name_end = headers.find('\0');
  if (name_end == std::string_view::npos) return false;
  const auto value_end = headers.find('\0', name_end + 1);
  if (value_end == std::string_view::npos) return false;
  name = headers.substr(0, name_end);
  value = headers.substr(name_end + 1, value_end - name_end - 1);
  headers.remove_prefix(value_end + 1);
  return true;
}

void append_field(std::string& headers, std::string_view name, std::string_view value) {
  headers.append(lower_case(name)).append(1, '\0').append(value).append(1, '\0');
}

bool has_field(std::string_view headers, std::string_view wanted) {
  std::string_view name;
  std::string_view value;
  while (take_field(headers, name, value))
    if (name == wanted) return true;
  return false;
}

bool is_token(std::string_view name) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::ranges::all_of(name, [&](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || kMarks.contains(c);
  });
}

bool is_field_value(std::string_view value) {
  return std::ranges::all_of(
      value, [](char c) { return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f); });
}

std::string lower_case(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

std::string_view trim(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

namespace {

/// The length of the letter at the front, as its first byte tells; 0 for none.
std::size_t letter_length(unsigned char first) {
  if (first == 0) return 0;
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first < 0xe0) return 2;
  if (first >= 0xe0 && first < 0xf0) return 3;
  if (first >= 0xf0 && first < 0xf5) return 4;
  return 0;
}

/// Of the second byte (Unicode 15, table 3-7): no overlong forms, no surrogates, nothing beyond U+10FFFF.
bool follows(unsigned char first, unsigned char second) {
  if (second < 0x80 || second > 0xbf) return false;
  if (first == 0xe0) return second >= 0xa0;
  if (first == 0xed) return second < 0xa0;
  if (first == 0xf0) return second >= 0x90;
  return first != 0xf4 || second < 0x90;
}

}  // namespace

bool is_utf8_text(std::string_view bytes, bool cut) {
  while (!bytes.empty()) {
    const auto first = static_cast<unsigned char>(bytes[0]);
    const auto length = letter_length(first);
    if (length == 0) return false;
    for (std::size_t i = 1; i < length; ++i) {
      if (i == bytes.size()) return cut;
      const auto byte = static_cast<unsigned char>(bytes[i]);
      if (i == 1 ? !follows(first, byte) : (byte & 0xc0) != 0x80) return false;
    }
    bytes.remove_prefix(length);
  }
  return true;
}

std::string percent_decode(std::string_view text, bool plus) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    const char* digits = text.data() + i + 1;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(digits, digits + 2, value, 16).ptr == digits + 2) {
      result.push_back(static_cast<char>(value));
      i += 2;
    } else {
      result.push_back(plus && text[i] == '+' ? ' ' : text[i]);
    }
  }
  return result;
}

bool take_pair(std::string_view& query, std::string& name, std::string& value) {
  std::string_view pair;
  while (pair.empty() && !query.empty()) {
    pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
  }
  if (pair.empty()) return false;
  const auto name_end = std::min(pair.find('='), pair.size());
  name = percent_decode(pair.substr(0, name_end), true);
  value = percent_decode(pair.substr(std::min(name_end + 1, pair.size())), true);
  return true;
}

}  // namespace mayfly::exec
