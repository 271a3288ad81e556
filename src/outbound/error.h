// What went wrong with a request of the daemon's own to another server.
#pragma once

#include "base/result.h"

namespace mayfly::outbound {

enum class OutboundErrc {
  bad_url = 1,          ///< not an http or https URL that can be asked
  address_not_allowed,  ///< it leads to an address that is not asked
  unreachable,          ///< no such host, or no connection to it
  timed_out,            ///< no answer in time
  not_trusted,          ///< its certificate is not good
  broken,               ///< the connection, or what came over it
  busy,                 ///< too many requests are under way
  stopped,              ///< the daemon ends
};
[[nodiscard]] std::error_code make_error_code(OutboundErrc code);

}  // namespace mayfly::outbound

template <>
struct std::is_error_code_enum<mayfly::outbound::OutboundErrc> : std::true_type {};
