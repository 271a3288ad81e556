// An invocation that nobody waits for: accepted now, delivered later.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "admin/api.h"

namespace mayfly::admin {

/// Whether the client prefers not to wait: `Prefer: respond-async` (RFC 7240, section 4.1).
[[nodiscard]] bool prefers_async(const Headers& headers);

/// Answers 202 when the invocation is on disk, with its id and `Location`. A second one with the same
/// `Idempotency-Key` is the first. Errors: unknown_version, body_too_large, bad_request, those of the engine.
[[nodiscard]] boost::asio::awaitable<Result<Response>> accept_invocation(const Services& services,
                                                                         registry::FunctionPtr function,
                                                                         InvokeRequest wanted);

}  // namespace mayfly::admin
