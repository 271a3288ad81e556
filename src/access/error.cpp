#include "access/error.h"

#include <array>

namespace mayfly::access {

std::error_code make_error_code(AccessErrc code) {
  static const SlugCategory<AccessErrc, 13> category(
      "access", std::array{"bad-key", "two-credentials", "key-needed", "invalid-key", "key-not-allowed",
                           "rate-limited", "unknown-key", "key-exists", "token-needed", "invalid-token",
                           "unknown-signer", "keys-unavailable", "insufficient-scope"});
  return {static_cast<int>(code), category};
}

}  // namespace mayfly::access
