// The OpenAPI document against the route table that serves.
#include "admin/openapi.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "admin/api.h"
#include "admin/api_test_support.h"

namespace mayfly::admin {
namespace {

using nlohmann::json;

struct OpenApi : testing::Test {
  FakeDaemon daemon;
  std::vector<Route> routes = api_routes(daemon.services());
  json document = json::parse(openapi_document(routes));

  const json& operation(const Route& route) {
    std::string method(route.method);
    for (char& c : method) c = static_cast<char>(c | 0x20);
    return document.at("paths").at(std::string(route.pattern)).at(method);
  }
};

TEST_F(OpenApi, HasEveryRouteAndNoOther) {
  std::size_t operations = 0;
  for (const auto& [path, item] : document["paths"].items()) operations += item.size();
  EXPECT_EQ(operations, routes.size());
  for (const auto& route : routes) EXPECT_EQ(operation(route)["operationId"], route.id) << route.pattern;
}

TEST_F(OpenApi, OperationIdsAndSummariesAreThereAndUnique) {
  std::set<std::string_view> ids;
  for (const auto& route : routes) {
    EXPECT_TRUE(ids.insert(route.id).second) << route.id;
    EXPECT_FALSE(route.summary.empty()) << route.id;
    EXPECT_FALSE(route.answers.empty()) << route.id;
    EXPECT_TRUE(route.handler) << route.id;
  }
}

TEST_F(OpenApi, DeclaresEveryParameterOfAPath) {
  for (const auto& route : routes) {
    std::set<std::string> declared;
    for (const auto& parameter : operation(route).value("parameters", json::array()))
      if (parameter["in"] == "path") declared.insert(parameter["name"]);
    std::set<std::string> wanted;
    for (const auto name : pattern_params(route.pattern)) wanted.emplace(name);
    EXPECT_EQ(declared, wanted) << route.pattern;
  }
}

void expect_references(const json& value, const json& document) {
  if (value.is_object() && value.contains("$ref")) {
    const auto reference = value["$ref"].get<std::string>();
    EXPECT_TRUE(document.contains(json::json_pointer(reference.substr(1)))) << reference;
  }
  if (value.is_structured())
    for (const auto& each : value) expect_references(each, document);
}

TEST_F(OpenApi, EveryReferenceLeadsSomewhere) { expect_references(document, document); }

TEST_F(OpenApi, OnlyHealthIsOpen) {
  for (const auto& route : routes) {
    const bool open = route.pattern == "/healthz" || route.pattern == "/readyz";
    EXPECT_EQ(route.open, open) << route.pattern;
    EXPECT_EQ(operation(route).at("security").empty(), open) << route.pattern;
  }
}

TEST_F(OpenApi, BodiesAreDescribedWhereTheyAreTaken) {
  for (const auto& route : routes) {
    EXPECT_EQ(operation(route).contains("requestBody"), route.body != BodyKind::none) << route.pattern;
    EXPECT_EQ(route.body == BodyKind::json, !route.body_schema.empty()) << route.pattern;
  }
}

}  // namespace
}  // namespace mayfly::admin
