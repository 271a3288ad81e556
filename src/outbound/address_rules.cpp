#include "outbound/address_rules.h"

#include <algorithm>
#include <array>
#include <optional>

namespace mayfly::outbound {

namespace ip = boost::asio::ip;

namespace {

struct Range4 {
  std::uint32_t first;
  unsigned prefix;
};

constexpr std::uint32_t quad(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
  return a << 24U | b << 16U | c << 8U;
}

/// IPv4 addresses that are nobody's on the public internet.
constexpr std::array kSpecial4{
    Range4{quad(0, 0, 0), 8},        // this network
    Range4{quad(10, 0, 0), 8},       // private (RFC 1918)
    Range4{quad(100, 64, 0), 10},    // between a provider and its customers (RFC 6598)
    Range4{quad(127, 0, 0), 8},      // loopback
    Range4{quad(169, 254, 0), 16},   // link-local; clouds tell secrets there
    Range4{quad(172, 16, 0), 12},    // private
    Range4{quad(192, 0, 0), 24},     // protocols
    Range4{quad(192, 0, 2), 24},     // documentation
    Range4{quad(192, 88, 99), 24},   // relays of 6to4, given up
    Range4{quad(192, 168, 0), 16},   // private
    Range4{quad(198, 18, 0), 15},    // measurements
    Range4{quad(198, 51, 100), 24},  // documentation
    Range4{quad(203, 0, 113), 24},   // documentation
    Range4{quad(224, 0, 0), 4},      // multicast
    Range4{quad(240, 0, 0), 4},      // reserved, broadcast
};

bool is_public(std::uint32_t address) {
  return std::ranges::none_of(kSpecial4, [&](const Range4& range) {
    return address >> (32 - range.prefix) == range.first >> (32 - range.prefix);
  });
}

std::uint32_t word(const ip::address_v6::bytes_type& bytes, std::size_t at) {
  return std::uint32_t{bytes[at]} << 24U | std::uint32_t{bytes[at + 1]} << 16U |
         std::uint32_t{bytes[at + 2]} << 8U | std::uint32_t{bytes[at + 3]};
}

/// The IPv4 address that an IPv6 address stands for.
std::optional<std::uint32_t> inner(const ip::address_v6& address) {
  const auto bytes = address.to_bytes();
  if (address.is_v4_mapped()) return word(bytes, 12);
  if (word(bytes, 0) == 0x0064ff9b && word(bytes, 4) == 0 && word(bytes, 8) == 0) return word(bytes, 12);
  if (word(bytes, 0) >> 16U == 0x2002) return word(bytes, 2);
  return std::nullopt;
}

bool is_public(const ip::address_v6& address) {
  if (const auto v4 = inner(address)) return is_public(*v4);
  const auto first = word(address.to_bytes(), 0);
  const bool global = first >> 29U == 1;                   // 2000::/3
  const bool protocols = first >> 9U == 0x20010000 >> 9U;  // 2001::/23, with Teredo
  const bool documentation = first == 0x20010db8 || first >> 12U == 0x3fff0;
  return global && !protocols && !documentation;
}

template <class Network, class Address>
bool is_in(const Network& network, const Address& address) {
  const Network host(address, network.prefix_length());
  return host.canonical() == network.canonical();
}

}  // namespace

bool is_public(const ip::address& address) {
  return address.is_v4() ? is_public(address.to_v4().to_uint()) : is_public(address.to_v6());
}

Result<AddressRules> AddressRules::parse(const std::vector<std::string>& ranges) {
  AddressRules rules;
  for (const auto& text : ranges) {
    const bool v6 = text.contains(':');
    const auto whole = text.contains('/') ? text : text + (v6 ? "/128" : "/32");
    boost::system::error_code error;
    if (v6)
      rules.v6_.push_back(ip::make_network_v6(whole, error));
    else
      rules.v4_.push_back(ip::make_network_v4(whole, error));
    if (error)
      return fail(OutboundErrc::bad_url,
                  "'" + text + "' is not a range of addresses, as in 10.0.0.0/8 or fd00::/8");
  }
  return rules;
}

bool AddressRules::allows(const ip::address& address) const {
  if (outbound::is_public(address)) return true;
  if (address.is_v4())
    return std::ranges::any_of(v4_, [&](const auto& range) { return is_in(range, address.to_v4()); });
  if (std::ranges::any_of(v6_, [&](const auto& range) { return is_in(range, address.to_v6()); })) return true;
  const auto v4 = inner(address.to_v6());
  return v4 && std::ranges::any_of(v4_, [&](const auto& range) { return is_in(range, ip::address_v4(*v4)); });
}

}  // namespace mayfly::outbound
