#include "daemon/addresses.h"

namespace mayfly::daemon {

Result<Addresses> parse_addresses(const cli::ServeOptions& options) {
  auto listen = parse_endpoints(options);
  if (!listen) return propagate(listen);
  auto asked = outbound::AddressRules::parse(options.outbound_allow);
  if (!asked) return propagate(asked);
  return Addresses{*listen, std::move(*asked)};
}

}  // namespace mayfly::daemon
