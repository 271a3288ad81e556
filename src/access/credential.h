// Credentials in a request's headers, "name\0value\0…" with names in lower case.
#pragma once

#include <string_view>

#include "access/guard.h"

namespace mayfly::access {

/// What tells a function who calls: only the gateway writes it, a client's own is dropped.
inline constexpr std::string_view kKeyField = "mayfly-key";
inline constexpr std::string_view kClaimsField = "mayfly-jwt-claims";  ///< as in the token: base64url of JSON

struct Credential {
  std::string_view text{};  ///< empty: there is none
  Span field{};             ///< name and value
  bool several = false;     ///< which one is meant?
};

/// An API key: "Authorization: Bearer mf_…", or all that stands in X-API-Key. Another Authorization is the
/// function's business.
[[nodiscard]] Credential find_key_credential(std::string_view headers);

/// A token: "Authorization: Bearer TOKEN".
[[nodiscard]] Credential find_token_credential(std::string_view headers);

/// What "Bearer TOKEN" gives; "" for any other value.
[[nodiscard]] std::string_view bearer_of(std::string_view value);

}  // namespace mayfly::access
