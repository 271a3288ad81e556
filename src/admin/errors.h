// What the admin plane itself can refuse.
#pragma once

#include <system_error>
#include <type_traits>

namespace mayfly::admin {

enum class AdminErrc {
  bad_request = 1,  ///< not HTTP
  body_too_large,
  header_too_large,
  invalid_body,       ///< not JSON, or not of the form that the route takes
  invalid_parameter,  ///< in the path or the query
  method_not_allowed,
  not_ready,
  request_timeout,
  too_many_connections,
  unauthorized,
  unknown_route,
  unknown_host,
  cross_origin,
  missing_scope,
  unknown_token,
  token_exists,
  not_metered,     ///< the daemon keeps no usage
  unknown_tenant,  ///< no function has it
};
[[nodiscard]] std::error_code make_error_code(AdminErrc code);

}  // namespace mayfly::admin

template <>
struct std::is_error_code_enum<mayfly::admin::AdminErrc> : std::true_type {};
