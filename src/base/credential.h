// What tokens and keys have in common: their secret text, and the names by which people speak of them.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace mayfly {

/// 256 random bits (getrandom(2)) in hexadecimal: too many to guess, so that a plain hash of them may be
/// kept.
[[nodiscard]] Result<std::string> random_token();

/// [a-z0-9_-]{1,63}.
[[nodiscard]] bool is_credential_name(std::string_view name);

}  // namespace mayfly
