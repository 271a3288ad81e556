#include <nlohmann/json.hpp>
#include <set>

#include "admin/api.h"
#include "admin/endpoint.h"
#include "base/text.h"

namespace mayfly::admin {

using boost::asio::awaitable;
using nlohmann::json;

namespace {

/// "pay@1", "pay@3": the versions that list a secret; with `as_variable` only those that do not take it as a
/// file.
std::vector<std::string> users(const registry::Registry& registry, std::string_view secret,
                               bool as_variable = false) {
  std::vector<std::string> addresses;
  for (const auto& function : registry.list())
    for (const auto& [number, version] : function->versions)
      for (const auto& use : version->config.secrets)
        if (use.name == secret && !(as_variable && use.as_file)) addresses.push_back(version->address());
  return addresses;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

json secret_json(const Services& services, const secrets::SecretInfo& secret) {
  std::set<std::string> functions;
  for (const auto& address : users(services.registry, secret.name))
    functions.insert(address.substr(0, address.find('@')));
  return {{"name", secret.name},
          {"created", timestamp(secret.created)},
          {"updated", timestamp(secret.updated)},
          {"functions", functions}};
}

Result<void> check_form(const Services& services, const std::string& name, std::string_view value) {
  if (is_plain_text(value)) return {};
  const auto as_variable = users(services.registry, name, true);
  if (as_variable.empty()) return {};
  return fail(secrets::SecretsErrc::bad_value, "the value is not text, and " + joined(as_variable) +
                                                   " takes it as a variable: list it as \"" + name +
                                                   ":file\" there");
}

awaitable<Result<Response>> set_secret(const Services& services, Request& request) {
  const std::string name = request.param("secret");
  auto checked = check_form(services, name, request.body);
  Result<secrets::SecretInfo> set;
  if (checked) set = services.secrets.set(name, request.body);
  secrets::wipe(request.body);
  if (!checked) co_return propagate(checked);
  if (!set) co_return propagate(set);
  auto renewing = services.operations.renew({registry::Listed::Kind::secret, name});
  const auto renewed = co_await std::move(renewing);
  json body = secret_json(services, *set);
  body["renewed"] = json::array();
  for (const auto& one : renewed) {
    if (one.error)
      body["warnings"].push_back(
          one.address +
          " does not load with the new value and goes on with the old one: " + one.error->message);
    else
      body["renewed"].push_back(one.address);
  }
  co_return json_response(body, set->created == set->updated ? 201 : 200);
}

awaitable<Result<Response>> list_secrets(const Services& services, Request&) {
  json all = json::array();
  for (const auto& secret : services.secrets.list()) all.push_back(secret_json(services, secret));
  json body{{"secrets", std::move(all)}};
  if (const auto locked = services.secrets.locked()) body["locked"] = locked->message;
  co_return json_response(body);
}

awaitable<Result<Response>> delete_secret(const Services& services, Request& request) {
  const std::string& name = request.param("secret");
  auto known = services.secrets.get(name);
  if (!known) co_return propagate(known);
  const auto listed_by = users(services.registry, name);
  if (!listed_by.empty() && !request.query_flag("force"))
    co_return fail(secrets::SecretsErrc::in_use,
                   "'" + name + "' is listed by " + joined(listed_by) + ", which cannot start without it");
  auto removed = services.secrets.remove(name);
  if (!removed) co_return propagate(removed);
  co_return Response{.status = 204};
}

}  // namespace

std::vector<Route> secret_routes(const Services& s) {
  return {
      {"GET",
       "/v1/secrets",
       "listSecrets",
       "All secrets: names and who lists them, never values",
       {{200, "By name", "Secrets"}},
       with_services(list_secrets, s)},
      {"PUT",
       "/v1/secrets/{secret}",
       "setSecret",
       "Make or change a secret: the body is its value. Functions that list it get it before this answers",
       {{201, "It is new", "SecretSet"},
        {200, "It was there", "SecretSet"},
        {413, "The value is larger than 64 KiB", "Problem", "application/problem+json"},
        {422, "The value is empty, or is not text where a function takes it as a variable", "Problem",
         "application/problem+json"},
        {503, "The key of the secrets is missing, or is another one", "Problem", "application/problem+json"}},
       with_services(set_secret, s),
       {},
       BodyKind::payload},
      {"DELETE",
       "/v1/secrets/{secret}",
       "deleteSecret",
       "Delete a secret that no function lists",
       {{204, "It is gone"}, {409, "Functions list it", "Problem", "application/problem+json"}},
       with_services(delete_secret, s),
       {{"force", "boolean", "Also if functions list it, which cannot start without it then"}}},
  };
}

}  // namespace mayfly::admin
