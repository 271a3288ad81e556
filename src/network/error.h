// Why a function has no network.
#pragma once

#include "base/result.h"

namespace mayfly::network {

enum class NetworkErrc {
  bad_rule = 1,  ///< text that is no rule, or opens what is never opened
  missing_tool,  ///< a program is not installed; the message names its package
  refused,       ///< the host allows it not, or something of it failed; the message says which step
  stopped,       ///< the daemon ends
  too_many,      ///< as many functions as there are addresses, or requests as may wait
};
[[nodiscard]] std::error_code make_error_code(NetworkErrc code);

}  // namespace mayfly::network

template <>
struct std::is_error_code_enum<mayfly::network::NetworkErrc> : std::true_type {};
