// The addresses between functions, their router and its uplink. They are of 198.18.0.0/15, which RFC 2544
// sets apart for measuring routers: neither the internet nor people's own networks use them,
// unlike 10.0.0.0/8 or 100.64.0.0/10.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mayfly::network {

inline constexpr std::string_view kOwnRange = "198.18.0.0/15";
inline constexpr std::string_view kUplinkRange = "198.19.0.0/24";  ///< between the router and slirp4netns
inline constexpr std::string_view kNameServer = "198.19.0.3";      ///< slirp4netns forwards to the host's
inline constexpr std::string_view kRouter = "198.19.1.1";          ///< every function's gateway
inline constexpr int kLastSlot = 65'535;

/// The address of a function's end: 198.18.0.1 of slot 1, and so on up to kLastSlot.
[[nodiscard]] std::string function_address(int slot);
/// The router's end of the same link.
[[nodiscard]] std::string link_name(int slot);

/// "192.168.0.5", of an address in host byte order.
[[nodiscard]] std::string address_text(std::uint32_t address);

}  // namespace mayfly::network
