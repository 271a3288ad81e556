// Base64 with padding (RFC 4648, section 4), as CloudEvents' JSON format and Standard Webhooks have it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mayfly::cloudevents {

/// Nothing: it is not just that.
[[nodiscard]] std::optional<std::string> decode_base64(std::string_view text);
[[nodiscard]] std::string encode_base64(std::string_view bytes);

}  // namespace mayfly::cloudevents
