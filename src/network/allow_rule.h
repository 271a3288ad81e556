// What a function may reach beyond the public internet: one item of `network_allow`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "network/error.h"

namespace mayfly::network {

/// An IPv4 address or a range of them, with all ports (TCP and UDP) or one.
struct AllowRule {
  std::uint32_t address = 0;  ///< the first of the range, in host byte order
  int prefix = 32;            ///< 1…32; 32: a single address
  std::uint16_t port = 0;     ///< 0: all

  /// Names one service: only that opens an address of the host itself.
  [[nodiscard]] bool is_service() const { return prefix == 32 && port != 0; }
  /// "10.1.2.0/24", "10.1.2.3", "10.1.2.3:5432", "10.0.0.0/8:5432"
  [[nodiscard]] std::string text() const;
  friend bool operator==(const AllowRule&, const AllowRule&) = default;
};
using AllowList = std::vector<AllowRule>;
inline constexpr std::size_t kMaxAllowRules = 64;

/// As text() writes it. An error's message says what is wrong with it: a name, an IPv6 address, a range whose
/// address has bits after its prefix, or one that touches what is never opened (loopback, multicast, and the
/// addresses between functions and their router).
[[nodiscard]] Result<AllowRule> parse_allow_rule(std::string_view text);

}  // namespace mayfly::network
