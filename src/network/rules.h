// The rules of the router, as text for nft(8).
#pragma once

#include <span>
#include <string>
#include <vector>

#include "network/allow_rule.h"

namespace mayfly::network {

/// Everything that no function has a part in. Nothing is forwarded but what a function begins towards the
/// uplink, and what answers that.
[[nodiscard]] std::string router_rules();

/// Put in the place of those before: addresses and ranges that lead to the host itself.
[[nodiscard]] std::string own_address_rules(std::span<const std::string> ranges);

/// Lets the function at `slot` out.
[[nodiscard]] std::string admit_rules(int slot);
/// Lets it in where `allow` says; that is not empty.
[[nodiscard]] std::string allow_rules(int slot, const AllowList& allow);
/// Takes both back.
[[nodiscard]] std::string dismiss_rules(int slot, bool allowed);

}  // namespace mayfly::network
