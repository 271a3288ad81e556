#include "network/addresses.h"

namespace mayfly::network {

std::string address_text(std::uint32_t address) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) {
    text += std::to_string((address >> static_cast<unsigned>(shift)) & 255U);
    if (shift > 0) text += '.';
  }
  return text;
}

std::string function_address(int slot) {
  constexpr std::uint32_t kFirst = (198U << 24U) | (18U << 16U);
  return address_text(kFirst + static_cast<std::uint32_t>(slot));
}

std::string link_name(int slot) { return "fn" + std::to_string(slot); }

}  // namespace mayfly::network
