#include "admin/errors.h"

#include <array>

#include "base/result.h"

namespace mayfly::admin {

std::error_code make_error_code(AdminErrc code) {
  static const SlugCategory<AdminErrc, 18> category(
      "admin",
      std::array{"bad-request", "body-too-large", "header-too-large", "invalid-body", "invalid-parameter",
                 "method-not-allowed", "not-ready", "request-timeout", "too-many-connections", "unauthorized",
                 "unknown-route", "unknown-host", "cross-origin", "missing-scope", "unknown-token",
                 "token-exists", "not-metered", "unknown-tenant"});
  return {static_cast<int>(code), category};
}

}  // namespace mayfly::admin
