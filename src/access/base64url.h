// base64url as JOSE writes it (RFC 7515, section 2): without '=', and each text stands for other bytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mayfly::access {

/// Nothing for any other character, a length that cannot be, or bits behind the last byte that are not 0.
[[nodiscard]] std::optional<std::string> decode_base64url(std::string_view text);

}  // namespace mayfly::access
