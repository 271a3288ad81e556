// A URL that the daemon is to ask.
#pragma once

#include <string>
#include <string_view>

#include "outbound/address_rules.h"

namespace mayfly::outbound {

inline constexpr std::size_t kMaxUrl = 2048;

struct Url {
  std::string scheme{};     ///< "http" or "https"
  std::string host{};       ///< a name, an IPv4 address, or an IPv6 address in brackets
  std::string authority{};  ///< host, and the port if it is not the scheme's own
  std::string path{};       ///< begins with '/'; without the query
  std::string query{};      ///< without '?'
};

/// http or https, of at most kMaxUrl bytes, without a user's name or password in it. A fragment is left out.
[[nodiscard]] Result<Url> parse_url(std::string_view text);

/// Refuses what is known before it is asked: an address that the rules do not allow, or "localhost". A name
/// is looked up when it is asked, and then its addresses are judged.
[[nodiscard]] Result<void> check_host(const Url& url, const AddressRules& rules);

}  // namespace mayfly::outbound
