// Base64 (RFC 4648), as JSON carries bytes.
#pragma once

#include <string>
#include <string_view>

namespace mayfly::exec {

[[nodiscard]] std::string base64_encode(std::string_view bytes);
/// Both alphabets; what is none of their letters is passed over.
[[nodiscard]] std::string base64_decode(std::string_view text);
/// Whether it is nothing but that: letters of either alphabet, white space between them, at the end padding
/// or none.
[[nodiscard]] bool is_base64(std::string_view text);

}  // namespace mayfly::exec
