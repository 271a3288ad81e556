#include "network/allow_rule.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.h"
#include "network/addresses.h"

namespace mayfly::network {
namespace {

struct Forbidden {
  std::uint32_t address;
  int prefix;
  std::string_view why;
};

constexpr std::array kNever{
    Forbidden{0x00000000, 8, "addresses of 0.0.0.0/8 are the machine itself, which is never opened"},
    Forbidden{0x7F000000, 8, "loopback is never opened to a function"},
    Forbidden{0xC6120000, 15, "198.18.0.0/15 lies between functions and their router"},
    Forbidden{0xE0000000, 3, "multicast and reserved addresses are never opened"},
};

constexpr std::uint32_t mask(int prefix) { return prefix == 0 ? 0 : ~std::uint32_t{0} << (32 - prefix); }

std::unexpected<Error> wrong(std::string_view text, std::string_view why) {
  return fail(NetworkErrc::bad_rule, "'" + std::string(text.substr(0, 80)) + "': " + std::string(why));
}

/// The part after `separator`, cut off from `text`; nothing if there is none.
std::optional<std::string_view> cut(std::string_view& text, char separator) {
  const auto at = text.find(separator);
  if (at == std::string_view::npos) return std::nullopt;
  const auto rest = text.substr(at + 1);
  text = text.substr(0, at);
  return rest;
}

/// A number as text() writes it.
std::optional<int> number(std::string_view text, int low, int high) {
  const auto value = parse_integer(text);
  if (!value || *value < low || *value > high || std::to_string(*value) != text) return std::nullopt;
  return static_cast<int>(*value);
}

}  // namespace

std::string AllowRule::text() const {
  auto text = address_text(address);
  if (prefix != 32) text += "/" + std::to_string(prefix);
  if (port != 0) text += ":" + std::to_string(port);
  return text;
}

Result<AllowRule> parse_allow_rule(std::string_view text) {
  if (std::ranges::count(text, ':') > 1) return wrong(text, "functions have no IPv6, give an IPv4 address");
  auto rest = text;
  AllowRule rule;
  if (const auto port = cut(rest, ':')) {
    const auto value = number(*port, 1, 65'535);
    if (!value) return wrong(text, "the port has to be 1 to 65535");
    rule.port = static_cast<std::uint16_t>(*value);
  }
  if (const auto prefix = cut(rest, '/')) {
    const auto value = number(*prefix, 1, 32);
    if (!value) return wrong(text, "the length of the prefix has to be 1 to 32");
    rule.prefix = *value;
  }
  in_addr address{};
  if (::inet_pton(AF_INET, std::string(rest).c_str(), &address) != 1 || rest.contains('\0'))
    return wrong(text, "that is no IPv4 address (names are not looked up)");
  rule.address = ntohl(address.s_addr);
  if (const auto first = rule.address & mask(rule.prefix); first != rule.address)
    return wrong(text, "the range begins at " + address_text(first));
  for (const auto& never : kNever) {
    const auto common = mask(std::min(rule.prefix, never.prefix));
    if ((rule.address & common) == (never.address & common)) return wrong(text, never.why);
  }
  return rule;
}

}  // namespace mayfly::network
