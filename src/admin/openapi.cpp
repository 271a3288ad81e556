#include "admin/openapi.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "admin/scope.h"
#include "problem/problem.h"

namespace mayfly::admin {
namespace {

using Json = nlohmann::ordered_json;

Json reference(std::string_view schema) { return {{"$ref", "#/components/schemas/" + std::string(schema)}}; }

Json path_parameter(std::string_view name) {
  return {
      {"name", name}, {"in", "path"}, {"required", true}, {"schema", reference("path." + std::string(name))}};
}

Json query_parameter(const Parameter& parameter) {
  Json schema = {{"type", parameter.type}};
  if (parameter.repeated) schema = {{"type", "array"}, {"items", schema}};
  return {{"name", parameter.name},
          {"in", "query"},
          {"required", parameter.required},
          {"description", parameter.about},
          {"schema", schema}};
}

Json content(std::string_view media, std::string_view schema) {
  Json result = Json::object();
  result[std::string(media)] = schema.empty() ? Json::object() : Json{{"schema", reference(schema)}};
  return result;
}

Json request_body(const Route& route) {
  Json body = Json::object();
  body["required"] = route.body == BodyKind::upload;
  body["description"] = "At most " + std::to_string(body_limit(route.body) >> 20U) + " MiB";
  body["content"] =
      route.body == BodyKind::json ? content("application/json", route.body_schema) : content("*/*", "");
  return body;
}

Json operation(const Route& route) {
  Json result = {{"operationId", route.id}, {"summary", route.summary}};
  result["security"] = Json::array();
  if (!route.open) result["security"].push_back({{"token", Json::array({scope_name(scope_of(route.id))})}});
  Json parameters = Json::array();
  for (const auto name : pattern_params(route.pattern)) parameters.push_back(path_parameter(name));
  for (const auto& parameter : route.query) parameters.push_back(query_parameter(parameter));
  if (!parameters.empty()) result["parameters"] = std::move(parameters);
  if (route.body != BodyKind::none) result["requestBody"] = request_body(route);
  Json responses = Json::object();
  for (const auto& answer : route.answers) {
    Json response = {{"description", answer.about}};
    const bool bodiless = answer.status == 204;
    if (!bodiless) response["content"] = content(answer.media, answer.schema);
    responses[std::to_string(answer.status)] = std::move(response);
  }
  responses["default"] = {{"description", "What went wrong"},
                          {"content", content(problem::kMediaType, "Problem")}};
  result["responses"] = std::move(responses);
  return result;
}

}  // namespace

std::string openapi_document(const std::vector<Route>& routes) {
  Json document = {
      {"openapi", "3.1.0"},
      {"info",
       {{"title", "Mayfly admin API"},
        {"version", "1"},
        {"description", "Deploy, call and watch functions. Every error is a problem document (RFC 9457)."},
        {"license", {{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}}}},
      {"security", Json::array({{{"token", Json::array()}}})},
  };
  Json paths = Json::object();
  for (const Route& route : routes) {
    std::string method(route.method);
    std::ranges::transform(method, method.begin(), [](char c) { return static_cast<char>(c | 0x20); });
    paths[std::string(route.pattern)][method] = operation(route);
  }
  document["paths"] = std::move(paths);
  auto schemas = Json::parse(openapi_schemas());
  schemas.update(Json::parse(openapi_event_schemas()));
  schemas.update(Json::parse(openapi_usage_schemas()));
  document["components"] = {
      {"securitySchemes",
       {{"token",
         {{"type", "http"},
          {"scheme", "bearer"},
          {"description",
           "The file admin-token of the data folder, or a named token with the scope that is listed"}}}}},
      {"schemas", std::move(schemas)},
  };
  return document.dump(2) + "\n";
}

}  // namespace mayfly::admin
