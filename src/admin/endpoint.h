// From what answers a request to what a route holds.
#pragma once

#include "admin/api.h"

namespace mayfly::admin {

/// Answers at once, as the registry and the stores do. `services` outlives the handler.
using Immediate = Result<Response> (*)(const Services&, Request&);
[[nodiscard]] Handler immediate(Immediate endpoint, const Services& services);

/// Waits for the platform. `services` outlives the handler.
using Endpoint = boost::asio::awaitable<Result<Response>> (*)(const Services&, Request&);
[[nodiscard]] Handler with_services(Endpoint endpoint, const Services& services);

}  // namespace mayfly::admin
