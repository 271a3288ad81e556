#include "base/hex.h"

#include <gtest/gtest.h>

#include <array>

namespace mayfly {
namespace {

TEST(Hex, OfBytes) {
  EXPECT_EQ(hex_of({}), "");
  EXPECT_EQ(hex_of(std::array<unsigned char, 4>{0x00, 0x0f, 0xa0, 0xff}), "000fa0ff");
}

TEST(Hex, OfANumber) {
  std::array<char, 16> digits{};
  put_hex(digits, 0x0123'4567'89ab'cdefULL);
  EXPECT_EQ(std::string(digits.data(), digits.size()), "0123456789abcdef");
}

}  // namespace
}  // namespace mayfly
