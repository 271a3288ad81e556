#include "base/credential.h"

#include <sys/random.h>

#include <algorithm>
#include <array>

#include "base/hex.h"

namespace mayfly {

Result<std::string> random_token() {
  std::array<unsigned char, 32> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    return fail_errno("getrandom");
  return hex_of(bytes);
}

bool is_credential_name(std::string_view name) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  return !name.empty() && name.size() <= 63 && std::ranges::all_of(name, good);
}

}  // namespace mayfly
