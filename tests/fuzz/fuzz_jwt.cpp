// Tokens as clients send them, and key sets as issuers give them. The first line is the token, the rest the
// set.
#include <cstdint>
#include <string_view>

#include "access/credential.h"
#include "access/jwt.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mayfly;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto end = text.find('\n');
  const auto token = access::read_token(text.substr(0, end));
  const auto keys = access::KeySet::parse(end == std::string_view::npos ? text : text.substr(end + 1));
  if (token && keys) {
    const registry::JwtConfig wanted{.jwks = "/k", .issuer = "joe", .audience = "a"};
    (void)access::verify_token(*token, *keys, wanted, WallTime{});
  }
  return 0;
}
