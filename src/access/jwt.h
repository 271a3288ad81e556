// JSON Web Tokens (RFC 7519) with signatures (RFC 7515): read, and believed or not, by the rules of RFC 8725.
#pragma once

#include <string_view>

#include "access/key_set.h"
#include "base/clock.h"
#include "registry/function.h"

namespace mayfly::access {

inline constexpr std::size_t kLongestToken = 8U << 10U;  ///< bytes
/// Clocks differ by so much, for `exp` and `nbf`.
inline constexpr std::chrono::seconds kLeeway{30};

/// A token whose signature was not looked at yet. Views are into the text that it was read from.
struct UnverifiedToken {
  Algorithm algorithm = Algorithm::rs256;
  std::string key_id{};            ///< `kid`; "" if it has none
  std::string_view signed_text{};  ///< header and claims, as they are signed
  std::string_view claims{};       ///< base64url
  std::string signature{};
};

/// Error invalid_token: not three parts of base64url, too long, a header that is not an object or has a name
/// twice, an algorithm that is not of ours ("none" and HS256 among them), or extensions that must be
/// understood (`crit`).
[[nodiscard]] Result<UnverifiedToken> read_token(std::string_view text);

/// Whether a token is good now for a function: signed by one of the keys, `exp`, `nbf`, `iss`, `aud`. Errors:
/// invalid_token; unknown_signer, if the set has no key of that name: a newer one may have;
/// insufficient_scope, if that is all that it lacks.
[[nodiscard]] Result<void> verify_token(const UnverifiedToken& token, const KeySet& keys,
                                        const registry::JwtConfig& wanted, WallTime now);

}  // namespace mayfly::access
