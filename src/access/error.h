// Why a call of a function is refused before it becomes an invocation; and what is wrong with a key.
#pragma once

#include <system_error>
#include <type_traits>

#include "base/result.h"

namespace mayfly::access {

enum class AccessErrc {
  bad_key = 1,         ///< 400, to the admin plane: its name, functions, rate
  two_credentials,     ///< 400: which one is meant?
  key_needed,          ///< 401
  invalid_key,         ///< 401: unknown, revoked or expired
  key_not_allowed,     ///< 403: not for this function
  rate_limited,        ///< 429
  unknown_key,         ///< 404, to the admin plane
  key_exists,          ///< 409
  token_needed,        ///< 401
  invalid_token,       ///< 401: not well made, not signed, expired, of another issuer, for another audience
  unknown_signer,      ///< 401: the keys of the issuer that are known do not have the one that it names
  keys_unavailable,    ///< 503: the keys of the issuer could not be read yet, or for too long
  insufficient_scope,  ///< 403: the token has not all scopes that the function wants
};
[[nodiscard]] std::error_code make_error_code(AccessErrc code);

}  // namespace mayfly::access

template <>
struct std::is_error_code_enum<mayfly::access::AccessErrc> : std::true_type {};
