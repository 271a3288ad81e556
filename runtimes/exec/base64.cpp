#include "exec/base64.h"

#include <cstdint>

namespace mayfly::exec {
namespace {

constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string base64_encode(std::string_view bytes) {
  std::string result;
  result.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto part = bytes.substr(i, 3);
    std::uint32_t bits = 0;
    for (std::size_t j = 0; j < 3; ++j)
      bits = bits << 8U | (j < part.size() ? static_cast<unsigned char>(part[j]) : 0U);
    for (std::size_t j = 0; j < 4; ++j)
      result.push_back(j <= part.size() ? kDigits[bits >> (18U - 6U * j) & 63U] : '=');
  }
  return result;
}

std::string base64_decode(std::string_view text) {
  std::string result;
  result.reserve(text.size() / 4 * 3);
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    const auto digit = kDigits.find(c == '-' ? '+' : c == '_' ? '/' : c);
    if (digit == std::string_view::npos) continue;
    bits = bits << 6U | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    result.push_back(static_cast<char>(bits >> count & 0xffU));
  }
  return result;
}

bool is_base64(std::string_view text) {
  std::size_t letters = 0;
  std::size_t padding = 0;
  for (const char c : text) {
    if (std::string_view(" \t\r\n").contains(c)) continue;
    if (c == '=')
      ++padding;
    else if (padding > 0 || (!kDigits.contains(c) && c != '-' && c != '_'))
      return false;
    else
      ++letters;
  }
  return letters % 4 != 1 && (padding == 0 || (padding <= 2 && (letters + padding) % 4 == 0));
}

}  // namespace mayfly::exec
