// A request of a client as an upstream gets it, and an upstream's fields as a client gets them.
#pragma once

#include <string>

#include "outbound/client.h"
#include "pool/invocation.h"

namespace mayfly::daemon {

/// To `url`, with the request's path and query behind the URL's own. Fields about the connection stay here
/// (RFC 9110, section 7.6.1); `Host` is the upstream's; X-Forwarded-For and Forwarded (RFC 7239) get the
/// client's address appended, X-Forwarded-Host and X-Forwarded-Proto are what the client asked for.
[[nodiscard]] outbound::Request upstream_request(const pool::Invocation& invocation, const std::string& url);

/// Without those about its connection.
[[nodiscard]] std::string end_to_end_fields(std::string_view fields);

}  // namespace mayfly::daemon
