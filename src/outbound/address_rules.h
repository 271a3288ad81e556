// Which addresses may be asked: where a URL comes from a stranger, not those behind the firewall.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <string>
#include <vector>

#include "outbound/error.h"

namespace mayfly::outbound {

/// Whether it belongs to the public internet: by the registries of special purpose addresses (IANA, RFC
/// 6890). An IPv6 address that carries an IPv4 address (mapped, NAT64, 6to4) is what that one is.
[[nodiscard]] bool is_public(const boost::asio::ip::address& address);

/// Immutable.
class AddressRules {
 public:
  /// Public addresses, and these ranges: "10.0.0.0/8", "127.0.0.1", "fd00::/8". The error names the one that
  /// is none.
  [[nodiscard]] static Result<AddressRules> parse(const std::vector<std::string>& ranges);
  AddressRules() = default;

  [[nodiscard]] bool allows(const boost::asio::ip::address& address) const;

 private:
  std::vector<boost::asio::ip::network_v4> v4_;
  std::vector<boost::asio::ip::network_v6> v6_;
};

}  // namespace mayfly::outbound
