#include <nlohmann/json.hpp>

#include "access/error.h"
#include "admin/api.h"
#include "admin/endpoint.h"
#include "admin/errors.h"
#include "admin/view.h"
#include "base/text.h"

namespace mayfly::admin {

using nlohmann::json;

namespace {

using boost::asio::awaitable;

json key_json(const access::Key& key) {
  json item = {{"name", key.name}, {"functions", key.functions}, {"created", timestamp(key.created)}};
  if (key.rate) item["rate"] = format_rate(*key.rate);
  if (key.expires) item["expires"] = timestamp(*key.expires);
  return item;
}

Result<access::Keys::NewKey> parse_key(const std::string& text) {
  auto body = parse_object(text, {"name", "functions", "rate", "expires_in_s"});
  if (!body) return propagate(body);
  access::Keys::NewKey key;
  const auto name = body->find("name");
  if (name == body->end() || !name->is_string())
    return fail(AdminErrc::invalid_body, "name must be a string");
  key.name = name->get<std::string>();
  if (const auto functions = body->find("functions"); functions != body->end()) {
    const bool strings = functions->is_array() &&
                         std::ranges::all_of(*functions, [](const json& one) { return one.is_string(); });
    if (!strings) return fail(AdminErrc::invalid_body, "functions must be a list of names");
    key.functions = functions->get<std::vector<std::string>>();
  }
  if (const auto rate = body->find("rate"); rate != body->end()) {
    if (rate->is_string()) key.rate = parse_rate(rate->get_ref<const std::string&>());
    if (!key.rate)
      return fail(AdminErrc::invalid_body, "rate must be like \"100/s\", \"1000/h\" or \"10/s burst 50\"");
  }
  auto lifetime = lifetime_member(*body);
  if (!lifetime) return propagate(lifetime);
  key.lifetime = *lifetime;
  return key;
}

awaitable<Result<Response>> create(const Services& services, Request& request) {
  auto wanted = parse_key(request.body);
  if (!wanted) co_return propagate(wanted);
  auto text = services.keys.create(*wanted);
  if (!text) co_return propagate(text);
  const auto info = services.keys.get(wanted->name);
  if (!info) co_return std::unexpected(info.error());
  json answer = key_json(*info);
  answer["key"] = *text;
  auto table = services.keys.table();
  co_await services.operations.publish_keys(std::move(table));
  co_return json_response(answer, 201);
}

Result<Response> list(const Services& services, Request&) {
  json all = json::array();
  for (const auto& key : services.keys.list()) all.push_back(key_json(key));
  return json_response({{"keys", std::move(all)}});
}

awaitable<Result<Response>> revoke(const Services& services, Request& request) {
  auto gone = services.keys.revoke(request.param("key"));
  if (!gone) co_return propagate(gone);
  auto table = services.keys.table();
  co_await services.operations.publish_keys(std::move(table));
  co_return Response{.status = 204};
}

}  // namespace

std::vector<Route> key_routes(const Services& s) {
  return {
      {"POST",
       "/v1/keys",
       "createKey",
       "Make a key with which functions can be called; its text is in this answer and nowhere else",
       {{201, "It is made", "CreatedKey"},
        {409, "There is one of this name", "Problem", "application/problem+json"}},
       with_services(create, s),
       {},
       BodyKind::json,
       "NewKey"},
      {"GET",
       "/v1/keys",
       "listKeys",
       "The keys, without their texts",
       {{200, "By name", "Keys"}},
       immediate(list, s)},
      {"DELETE",
       "/v1/keys/{key}",
       "revokeKey",
       "Revoke a key: when this is answered it is refused everywhere",
       {{204, "It is gone"}},
       with_services(revoke, s)},
  };
}

}  // namespace mayfly::admin
