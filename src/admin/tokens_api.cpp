#include <nlohmann/json.hpp>

#include "admin/api.h"
#include "admin/endpoint.h"
#include "admin/errors.h"
#include "admin/view.h"
#include "base/text.h"

namespace mayfly::admin {

using nlohmann::json;

namespace {

json token_json(const TokenInfo& info) {
  json item = {
      {"name", info.name}, {"scopes", scope_names(info.scopes)}, {"created", timestamp(info.created)}};
  if (info.expires) item["expires"] = timestamp(*info.expires);
  return item;
}

Result<Scopes> parse_scopes(const json& body) {
  const auto wrong = [] {
    return fail(AdminErrc::invalid_body, "scopes must be a list of read, invoke and deploy");
  };
  const auto found = body.find("scopes");
  if (found == body.end() || !found->is_array()) return wrong();
  Scopes scopes = 0;
  for (const auto& each : *found) {
    const auto scope = each.is_string() ? parse_scope(each.get<std::string>()) : std::nullopt;
    if (!scope) return wrong();
    scopes = static_cast<Scopes>(scopes | static_cast<Scopes>(*scope));
  }
  return scopes;
}

Result<Response> create(const Services& services, Request& request) {
  auto body = parse_object(request.body, {"name", "scopes", "expires_in_s"});
  if (!body) return propagate(body);
  const auto name = body->find("name");
  if (name == body->end() || !name->is_string())
    return fail(AdminErrc::invalid_body, "name must be a string");
  const auto scopes = parse_scopes(*body);
  if (!scopes) return std::unexpected(scopes.error());
  auto lifetime = lifetime_member(*body);
  if (!lifetime) return propagate(lifetime);
  auto token = services.tokens.create(name->get<std::string>(), *scopes, *lifetime);
  if (!token) return propagate(token);
  const auto info = services.tokens.get(name->get<std::string>());
  if (!info) return std::unexpected(info.error());
  json answer = token_json(*info);
  answer["token"] = *token;
  return json_response(answer, 201);
}

Result<Response> list(const Services& services, Request&) {
  json all = json::array();
  for (const auto& info : services.tokens.list()) all.push_back(token_json(info));
  return json_response({{"tokens", std::move(all)}});
}

Result<Response> revoke(const Services& services, Request& request) {
  auto gone = services.tokens.revoke(request.param("token"));
  if (!gone) return propagate(gone);
  return Response{.status = 204};
}

}  // namespace

std::vector<Route> token_routes(const Services& s) {
  return {
      {"POST",
       "/v1/tokens",
       "createToken",
       "Make a named token; its text is in this answer and nowhere else",
       {{201, "It is made", "CreatedToken"},
        {409, "There is one of this name", "Problem", "application/problem+json"}},
       immediate(create, s),
       {},
       BodyKind::json,
       "NewToken"},
      {"GET",
       "/v1/tokens",
       "listTokens",
       "The named tokens, without their texts",
       {{200, "By name", "Tokens"}},
       immediate(list, s)},
      {"DELETE",
       "/v1/tokens/{token}",
       "revokeToken",
       "Revoke a token: it is refused from now on",
       {{204, "It is gone"}},
       immediate(revoke, s)},
  };
}

}  // namespace mayfly::admin
