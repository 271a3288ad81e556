// What the data plane itself can refuse.
#pragma once

#include <boost/beast/core/error.hpp>
#include <cstdint>
#include <string_view>
#include <system_error>
#include <type_traits>

#include "base/result.h"

namespace mayfly::gateway {

enum class GatewayErrc {
  bad_request = 1,
  header_too_large,
  header_timeout,
  body_too_large,
  too_many_connections,
  bad_answer,
  draining,
  line_too_long,
  unsupported_version,
};
[[nodiscard]] std::error_code make_error_code(GatewayErrc code);

/// Why a header was refused: `bytes` is what has come of it, `limit` what it may have, `fault` the parser's
/// words for it, if it has any.
[[nodiscard]] Error header_error(const boost::beast::error_code& error, std::string_view bytes,
                                 std::uint32_t limit, std::string_view fault = {});
/// Why a body was that is larger than `limit`; `setting` is the function's, or empty if the limit is Mayfly's
/// own.
[[nodiscard]] Error body_too_large(std::uint64_t limit, std::string_view setting);
/// Why a body was that is no HTTP; `limit` is that of a chunk's line and of the trailers.
[[nodiscard]] Error body_error(const boost::beast::error_code& error, std::uint32_t limit);

}  // namespace mayfly::gateway

template <>
struct std::is_error_code_enum<mayfly::gateway::GatewayErrc> : std::true_type {};
