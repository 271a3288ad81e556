#include "admin/view.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "admin/errors.h"
#include "base/text.h"
#include "registry/config_keys.h"

namespace mayfly::admin {

using nlohmann::json;
using registry::Function;
using registry::Version;

namespace {

const char* text(registry::Runtime runtime) {
  switch (runtime) {
    case registry::Runtime::node:
      return "node";
    case registry::Runtime::python:
      return "python";
    case registry::Runtime::native:
      return "native";
    case registry::Runtime::exec:
      return "exec";
    case registry::Runtime::upstream:
      return "upstream";
  }
  return "unknown";
}

std::unexpected<Error> invalid(std::string message) {
  return fail(AdminErrc::invalid_body, std::move(message));
}

}  // namespace

/// Of an upstream without what says nothing to it.
json config_json(const registry::FunctionConfig& config) {
  auto all = json::parse(registry::config_to_json(config));
  if (!config.upstream.empty())
    for (const auto* key : {"memory", "cpu", "processes", "open_files", "tmp", "log_rate", "concurrency",
                            "isolation", "min_instances", "max_instances", "queue", "network", "eager"})
      all.erase(key);
  return all;
}

json version_json(const Version& version, const Function& function) {
  const auto weight = function.traffic.weights.find(version.number);
  json aliases = json::array();
  for (const auto& [alias, number] : function.aliases)
    if (number == version.number) aliases.push_back(alias);
  return {
      {"version", version.number},
      {"address", version.address()},
      {"digest", version.digest},
      {"runtime", text(version.runtime)},
      {"entry", version.entry},
      {"created", timestamp(version.created)},
      {"aliases", std::move(aliases)},
      {"weight", weight == function.traffic.weights.end() ? 0 : weight->second},
  };
}

json versions_json(const Function& function) {
  json list = json::array();
  for (auto it = function.versions.rbegin(); it != function.versions.rend(); ++it)
    list.push_back(version_json(*it->second, function));
  return list;
}

json traffic_json(const registry::Traffic& traffic) {
  json weights = json::object();
  for (const auto& [number, weight] : traffic.weights) weights[std::to_string(number)] = weight;
  return {{"weights", std::move(weights)}, {"sticky", traffic.sticky}};
}

json aliases_json(const Function& function) {
  json aliases = json::object();
  for (const auto& [alias, number] : function.aliases) aliases[alias] = number;
  return aliases;
}

Result<json> parse_object(const std::string& body, const std::vector<std::string_view>& members) {
  if (body.empty()) return json::object();
  json value = json::parse(body, nullptr, false);
  if (value.is_discarded()) return invalid("the body is not JSON");
  if (!value.is_object()) return invalid("the body must be a JSON object");
  for (const auto& [key, ignored] : value.items()) {
    if (std::ranges::find(members, std::string_view(key)) == members.end())
      return invalid("there is no member '" + key + "'" + did_you_mean(key, members));
  }
  return value;
}

Result<std::uint32_t> version_number(std::string_view text) {
  const auto number = parse_integer(text);
  if (!number || *number < 1 || *number > std::numeric_limits<std::uint32_t>::max())
    return fail(AdminErrc::invalid_parameter,
                "a version is a number from 1 on, not '" + std::string(text) + "'");
  return static_cast<std::uint32_t>(*number);
}

Result<std::uint32_t> version_member(const json& body) {
  const auto found = body.find("version");
  if (found == body.end() || !found->is_number_unsigned())
    return invalid("the member \"version\" must be a number from 1 on");
  const auto number = found->get<std::uint64_t>();
  if (number < 1 || number > std::numeric_limits<std::uint32_t>::max())
    return invalid("the member \"version\" must be a number from 1 on");
  return static_cast<std::uint32_t>(number);
}

Result<std::optional<std::chrono::milliseconds>> lifetime_member(const json& body) {
  constexpr std::int64_t kLongest = 100LL * 366 * 24 * 3600;
  const auto given = body.find("expires_in_s");
  if (given == body.end()) return std::nullopt;
  const auto seconds = given->is_number_integer() ? given->get<std::int64_t>() : 0;
  if (seconds < 1 || seconds > kLongest)
    return fail(AdminErrc::invalid_body, "expires_in_s must be a whole number of seconds, at least 1");
  return std::chrono::seconds(seconds);
}

Result<registry::Traffic> parse_traffic(const std::string& body) {
  auto value = parse_object(body, {"weights", "sticky"});
  if (!value) return propagate(value);
  registry::Traffic traffic;
  const auto weights = value->find("weights");
  if (weights == value->end() || !weights->is_object())
    return invalid(
        R"(the member "weights" must be an object of version numbers and weights: {"3": 90, "4": 10})");
  for (const auto& [key, weight] : weights->items()) {
    auto number = version_number(key);
    if (!number) return propagate(number);
    if (!weight.is_number_unsigned() ||
        weight.get<std::uint64_t>() > std::numeric_limits<std::uint32_t>::max())
      return invalid("the weight of version " + key + " must be a whole number");
    traffic.weights[*number] = weight.get<std::uint32_t>();
  }
  if (const auto sticky = value->find("sticky"); sticky != value->end()) {
    if (!sticky->is_string()) return invalid(R"("sticky" must be "", "header:NAME" or "cookie:NAME")");
    traffic.sticky = sticky->get<std::string>();
  }
  return traffic;
}

}  // namespace mayfly::admin
