// The admin token: what a request must carry, and the file that keeps it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mayfly::admin {

/// The token in `folder`/admin-token. The first call makes it: 256 random bits in hexadecimal, a file of
/// mode 0600 that appears whole or not at all; of two daemons that start at once, both get the same one.
/// Surrounding blanks are ignored; an empty file and one that others may read or write are errors.
[[nodiscard]] Result<std::string> load_or_create_token(const std::filesystem::path& folder);

/// What an Authorization header's value of the form "Bearer TOKEN" gives; "" for any other.
[[nodiscard]] std::string_view bearer_token(std::string_view header);

/// Whether an Authorization header's value is "Bearer TOKEN". The time that it takes does not depend on
/// how much of the token is right.
[[nodiscard]] bool authorizes(std::string_view header, std::string_view token);

}  // namespace mayfly::admin
