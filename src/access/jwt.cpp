#include "access/jwt.h"

#include <algorithm>
#include <cmath>
#include <ranges>

#include "access/base64url.h"
#include "access/error.h"
#include "access/json_object.h"

namespace mayfly::access {
namespace {

using nlohmann::json;

std::unexpected<Error> invalid(const char* why) { return fail(AccessErrc::invalid_token, why); }

/// Seconds since the epoch; a fraction is allowed (RFC 7519, section 2: NumericDate).
std::optional<double> numeric_date(const json& claims, const char* name) {
  const auto found = claims.find(name);
  if (found == claims.end() || !found->is_number()) return std::nullopt;
  const auto value = found->get<double>();
  return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

Result<void> check_times(const json& claims, WallTime now) {
  const double seconds = std::chrono::duration<double>(now.time_since_epoch()).count();
  const auto leeway = static_cast<double>(kLeeway.count());
  const auto expires = numeric_date(claims, "exp");
  if (!expires) return invalid("the token has no time at which it expires (exp)");
  if (seconds >= *expires + leeway) return invalid("the token has expired");
  if (!claims.contains("nbf")) return {};
  const auto begins = numeric_date(claims, "nbf");
  if (!begins || seconds < *begins - leeway) return invalid("the token is not valid yet");
  return {};
}

bool is_for(const json& claims, const std::string& audience) {
  const auto found = claims.find("aud");
  if (found == claims.end()) return false;
  if (found->is_array()) return std::ranges::find(*found, json(audience)) != found->end();
  return *found == json(audience);
}

/// `scope`, a text with blanks (RFC 8693, RFC 9068), and `scp`, a text or a list, as some issuers call it.
bool has_scope(const json& claims, std::string_view scope) {
  for (const char* name : {"scope", "scp"}) {
    const auto found = claims.find(name);
    if (found == claims.end()) continue;
    if (found->is_array() && std::ranges::find(*found, json(scope)) != found->end()) return true;
    if (!found->is_string()) continue;
    for (const auto part : std::views::split(found->get_ref<const std::string&>(), ' '))
      if (std::string_view(part) == scope) return true;
  }
  return false;
}

Result<void> check_scopes(const json& claims, const std::vector<std::string>& wanted) {
  for (const auto& scope : wanted)
    if (!has_scope(claims, scope))
      return fail(AccessErrc::insufficient_scope, "the token has not the scope '" + scope + "'");
  return {};
}

}  // namespace

Result<UnverifiedToken> read_token(std::string_view text) {
  if (text.size() > kLongestToken) return invalid("the token is too long");
  const auto first = text.find('.');
  const auto second = first == std::string_view::npos ? first : text.find('.', first + 1);
  if (second == std::string_view::npos || text.find('.', second + 1) != std::string_view::npos)
    return invalid("the token is not one of three parts");
  const auto header_text = decode_base64url(text.substr(0, first));
  auto signature = decode_base64url(text.substr(second + 1));
  if (!header_text || !signature) return invalid("the token is not base64url");
  const auto header = parse_object(*header_text);
  if (!header) return invalid("the token's header is not a JSON object, or has a name twice");
  if (header->contains("crit")) return invalid("the token has extensions that are not understood (crit)");
  const auto name = header->find("alg");
  const auto algorithm =
      name != header->end() && name->is_string() ? parse_algorithm(name->get<std::string>()) : std::nullopt;
  if (!algorithm) return invalid("the token is signed by none of RS256, ES256, EdDSA");
  UnverifiedToken token{.algorithm = *algorithm,
                        .signed_text = text.substr(0, second),
                        .claims = text.substr(first + 1, second - first - 1),
                        .signature = std::move(*signature)};
  if (const auto id = header->find("kid"); id != header->end()) {
    if (!id->is_string() || id->get_ref<const std::string&>().empty())
      return invalid("the token's key id is not a text");
    token.key_id = id->get<std::string>();
  }
  return token;
}

Result<void> verify_token(const UnverifiedToken& token, const KeySet& keys, const registry::JwtConfig& wanted,
                          WallTime now) {
  const auto* key = keys.find(token.key_id, token.algorithm);
  if (key == nullptr)
    return fail(AccessErrc::unknown_signer,
                token.algorithm == Algorithm::rs256 && keys.is_weak(token.key_id)
                    ? "the token's key is too weak: RSA keys have at least 2048 bits"
                    : "the token's key is not known");
  if (!key->verifies(token.signed_text, token.signature)) return invalid("the token's signature is wrong");
  const auto text = decode_base64url(token.claims);
  const auto claims = text ? parse_object(*text) : std::nullopt;
  if (!claims) return invalid("the token's claims are not a JSON object, or have a name twice");
  if (auto timely = check_times(*claims, now); !timely) return timely;
  const auto issuer = claims->find("iss");
  if (issuer == claims->end() || *issuer != json(wanted.issuer))
    return invalid("the token is of another issuer");
  if (!is_for(*claims, wanted.audience)) return invalid("the token is for another audience");
  return check_scopes(*claims, wanted.scopes);
}

}  // namespace mayfly::access
