// Hexadecimal, in small letters.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace mayfly {

inline constexpr std::string_view kHexDigits = "0123456789abcdef";

/// Two digits for each byte.
[[nodiscard]] inline std::string hex_of(std::span<const unsigned char> bytes) {
  std::string text;
  text.reserve(2 * bytes.size());
  for (const unsigned byte : bytes) {
    text += kHexDigits[byte >> 4U];
    text += kHexDigits[byte & 15U];
  }
  return text;
}

/// All 16 digits of a number.
inline void put_hex(std::span<char, 16> out, std::uint64_t value) {
  for (auto digit = out.rbegin(); digit != out.rend(); ++digit, value >>= 4U)
    *digit = kHexDigits[value & 15U];
}

}  // namespace mayfly
