#include <nlohmann/json.hpp>

#include "access/opening.h"
#include "admin/api.h"
#include "admin/endpoint.h"
#include "admin/usage_view.h"
#include "admin/view.h"
#include "registry/main_version.h"

namespace mayfly::admin {

using boost::asio::awaitable;
using nlohmann::json;
using registry::FunctionPtr;

namespace {

// Each endpoint is a plain coroutine with all it needs in its parameters; the routes below bind them.
// What takes arguments by value is called in one statement and awaited in the next: GCC 12 destroys arguments
// made inside a co_await expression twice.

json summary(const Services& services, const registry::Function& function) {
  const auto& main = *registry::main_version(function);
  json item = version_json(main, function);
  item["name"] = function.name;
  item["url"] = services.operations.url(function.name);
  item["versions"] = function.versions.size();
  item["traffic"] = traffic_json(function.traffic);
  item["routes"] = main.config.routes;
  if (const auto origin = services.registry.origin(function.name); !origin.empty()) item["origin"] = origin;
  return item;
}

awaitable<Result<Response>> list(const Services& services, Request&) {
  json functions = json::array();
  for (const auto& function : services.registry.list()) functions.push_back(summary(services, *function));
  const json body = {{"functions", std::move(functions)}};
  co_return json_response(body);
}

awaitable<Result<Response>> describe(const Services& services, Request& request) {
  auto function = services.registry.get(request.param("name"));
  if (!function) co_return propagate(function);
  json body = summary(services, **function);
  body["config"] = config_json(registry::main_version(**function)->config);
  body["versions"] = versions_json(**function);
  body["aliases"] = aliases_json(**function);
  const auto& tenant = registry::main_version(**function)->config.tenant;
  body["budgets"] = budgets_json(services.budgets, (*function)->name, tenant);
  auto asking = services.operations.live(request.param("name"));
  body["live"] = co_await std::move(asking);
  co_return json_response(body);
}

Result<Response> remove(const Services& services, Request& request) {
  auto removed = services.registry.remove(request.param("name"));
  if (!removed) return propagate(removed);
  return Response{.status = 204};
}

Result<Response> versions(const Services& services, Request& request) {
  auto function = services.registry.get(request.param("name"));
  if (!function) return propagate(function);
  return json_response({{"name", (*function)->name}, {"versions", versions_json(**function)}});
}

Result<Response> remove_version(const Services& services, Request& request) {
  auto number = version_number(request.param("version"));
  if (!number) return propagate(number);
  auto function = services.registry.remove_version(request.param("name"), *number);
  if (!function) return propagate(function);
  return Response{.status = 204};
}

Result<Response> traffic_answer(Result<FunctionPtr> function) {
  if (!function) return propagate(function);
  json body = traffic_json((*function)->traffic);
  body["name"] = (*function)->name;
  return json_response(body);
}

/// To let in callers whom what serves now refuses, a request says that it is meant.
const std::vector<Parameter> kOpenQuery = {
    {"open", "boolean", "Also if it lets in callers whom what serves now refuses"}};

Result<Response> rollback(const Services& services, Request& request) {
  auto body = parse_object(request.body, {"version"});
  if (!body) return propagate(body);
  auto function = services.registry.get(request.param("name"));
  if (!function) return propagate(function);
  auto number = body->contains("version") ? version_member(*body) : registry::version_before(**function);
  if (!number) return propagate(number);
  if (!request.query_flag("open")) {
    auto checked = access::check_traffic(**function, {.weights = {{*number, 100}}, .sticky = ""});
    if (!checked) return propagate(checked);
  }
  return traffic_answer(services.registry.rollback(request.param("name"), *number));
}

Result<Response> get_traffic(const Services& services, Request& request) {
  return traffic_answer(services.registry.get(request.param("name")));
}

Result<Response> set_traffic(const Services& services, Request& request) {
  auto traffic = parse_traffic(request.body);
  if (!traffic) return propagate(traffic);
  auto function = services.registry.get(request.param("name"));
  if (!function) return propagate(function);
  if (!request.query_flag("open")) {
    auto checked = access::check_traffic(**function, *traffic);
    if (!checked) return propagate(checked);
  }
  return traffic_answer(services.registry.set_traffic(request.param("name"), std::move(*traffic)));
}

Result<Response> aliases_answer(Result<FunctionPtr> function) {
  if (!function) return propagate(function);
  return json_response({{"name", (*function)->name}, {"aliases", aliases_json(**function)}});
}

Result<Response> aliases(const Services& services, Request& request) {
  return aliases_answer(services.registry.get(request.param("name")));
}

Result<Response> set_alias(const Services& services, Request& request) {
  auto body = parse_object(request.body, {"version"});
  if (!body) return propagate(body);
  auto number = version_member(*body);
  if (!number) return propagate(number);
  auto function = services.registry.get(request.param("name"));
  if (!function) return propagate(function);
  if (!request.query_flag("open")) {
    auto checked = access::check_alias(**function, request.param("alias"), *number);
    if (!checked) return propagate(checked);
  }
  return aliases_answer(services.registry.set_alias(request.param("name"), request.param("alias"), *number));
}

Result<Response> remove_alias(const Services& services, Request& request) {
  auto function = services.registry.remove_alias(request.param("name"), request.param("alias"));
  if (!function) return propagate(function);
  return Response{.status = 204};
}

const std::vector<Parameter> kDeployQuery = {
    {"file", "string", "The name of what the body holds: hello.js, site.tar.gz, site.zip"},
    {"set", "string", "key=value, any key of [functions.NAME] in mayfly.toml; wins over the file's", false,
     true},
    {"origin", "string", "Where it comes from, for people: the folder's path. The next deployment is told"},
    {"keep_traffic", "boolean", "Make the version, but give it no traffic yet"},
};
constexpr Answer kGone{204, "It is gone"};
constexpr Answer kOpens{409, "It would let in callers whom what serves now refuses, and does not say so",
                        "Problem", "application/problem+json"};

std::vector<Route> deployment_routes(const Services& s) {
  return {
      {"PUT",
       "/v1/functions/{name}",
       "deploy",
       "Deploy a function: the source, or an archive of its folder",
       {{201, "A new version is in service", "Deployed"},
        {200,
         "The newest version is the same already; or, to a request that accepts application/x-ndjson, lines "
         "{\"output\": text} of what tools print, then {\"status\": 201, \"result\": Deployed} or "
         "{\"status\": "
         "422, \"problem\": Problem}",
         "Deployed"},
        {409,
         "It would open a function to everyone without saying so; or the name is that of an upstream, and "
         "this is a function, or the other way round",
         "Problem", "application/problem+json"},
        {413, "The body or what it unpacks to is too large", "Problem", "application/problem+json"},
        {422, "The code or its configuration was refused; what is in service stays", "Problem",
         "application/problem+json"}},
       with_services(deploy, s),
       kDeployQuery,
       BodyKind::upload},
      {"GET",
       "/v1/functions",
       "listFunctions",
       "All functions",
       {{200, "By name", "Functions"}},
       with_services(list, s)},
      {"GET",
       "/v1/functions/{name}",
       "describeFunction",
       "A function: configuration, versions, traffic, live figures, last failures",
       {{200, "All that is known of it", "Function"}},
       with_services(describe, s)},
      {"DELETE",
       "/v1/functions/{name}",
       "deleteFunction",
       "Delete a function with all its versions",
       {kGone},
       immediate(remove, s)},
  };
}

std::vector<Route> version_routes(const Services& s) {
  return {
      {"GET",
       "/v1/functions/{name}/versions",
       "listVersions",
       "The versions of a function",
       {{200, "Newest first", "Versions"}},
       immediate(versions, s)},
      {"DELETE",
       "/v1/functions/{name}/versions/{version}",
       "deleteVersion",
       "Delete a version that has neither traffic nor an alias",
       {kGone},
       immediate(remove_version, s)},
      {"POST",
       "/v1/functions/{name}/rollback",
       "rollback",
       "Give all traffic to an older version (the one before, if none is named)",
       {{200, "The traffic now", "Traffic"}, kOpens},
       immediate(rollback, s),
       kOpenQuery,
       BodyKind::json,
       "VersionReference"},
      {"GET",
       "/v1/functions/{name}/traffic",
       "getTraffic",
       "How requests are spread over versions",
       {{200, "Weights", "Traffic"}},
       immediate(get_traffic, s)},
      {"PUT",
       "/v1/functions/{name}/traffic",
       "setTraffic",
       "Spread requests over versions by weight",
       {{200, "The traffic now", "Traffic"}, kOpens},
       immediate(set_traffic, s),
       kOpenQuery,
       BodyKind::json,
       "Traffic"},
      {"GET",
       "/v1/functions/{name}/aliases",
       "listAliases",
       "Names for versions",
       {{200, "Alias to version", "Aliases"}},
       immediate(aliases, s)},
      {"PUT",
       "/v1/functions/{name}/aliases/{alias}",
       "setAlias",
       "Make an alias, or point it elsewhere",
       {{200, "The aliases now", "Aliases"}, kOpens},
       immediate(set_alias, s),
       kOpenQuery,
       BodyKind::json,
       "VersionReference"},
      {"DELETE",
       "/v1/functions/{name}/aliases/{alias}",
       "deleteAlias",
       "Delete an alias",
       {kGone},
       immediate(remove_alias, s)},
  };
}

}  // namespace

std::vector<Route> function_routes(const Services& services) {
  auto routes = deployment_routes(services);
  for (auto& route : version_routes(services)) routes.push_back(std::move(route));
  return routes;
}

}  // namespace mayfly::admin
