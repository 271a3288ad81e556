// The addresses that the options name.
#pragma once

#include "cli/serve_options.h"
#include "daemon/door.h"
#include "outbound/address_rules.h"

namespace mayfly::daemon {

struct Addresses {
  Endpoints listen;
  outbound::AddressRules asked;  ///< by the daemon itself: of `--outbound-allow`
};

/// The error names the one that is none.
[[nodiscard]] Result<Addresses> parse_addresses(const cli::ServeOptions& options);

}  // namespace mayfly::daemon
