#include "secrets/error.h"

namespace mayfly::secrets {

std::error_code make_error_code(SecretsErrc code) {
  static const SlugCategory<SecretsErrc, 8> category(
      "secrets",
      {"unknown-secret", "bad-name", "bad-value", "too-large", "too-many", "in-use", "locked", "damaged"});
  return {static_cast<int>(code), category};
}

}  // namespace mayfly::secrets
