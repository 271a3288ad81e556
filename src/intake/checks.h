// What several kinds of requests are looked at for before anything is made of them. Errors:
// IntakeErrc::bad_request.
#pragma once

#include <string_view>

#include "base/result.h"

namespace mayfly::intake {

/// Bytes of an Idempotency-Key, as its caller sends it.
inline constexpr std::size_t kMaxIdempotencyKey = 255;
[[nodiscard]] Result<void> check_idempotency_key(std::string_view key);

/// That a body is JSON if its Content-Type says so: what is taken for text else would be a surprise. An empty
/// one is no body.
[[nodiscard]] Result<void> check_json_body(std::string_view content_type, std::string_view body);

}  // namespace mayfly::intake
