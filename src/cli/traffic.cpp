#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/daemon_client.h"
#include "cli/error.h"
#include "cli/input.h"
#include "cli/traffic_view.h"
#include "cli/verbs.h"

namespace mayfly::cli {

using nlohmann::json;

namespace {

struct TrafficArguments {
  std::string name;
  std::vector<std::string> weights;
  std::optional<std::string> sticky;
  bool open = false;
};

/// "1=90", "2=10%" → {"1": 90, "2": 10}
Result<json> parse_weights(const std::vector<std::string>& texts) {
  json weights = json::object();
  for (const auto& text : texts) {
    const auto equals = text.find('=');
    auto value = equals == std::string::npos ? "" : text.substr(equals + 1);
    if (value.ends_with('%')) value.pop_back();
    const auto weight = parse_integer(value);
    if (!weight || *weight < 0)
      return fail(CliErrc::usage, "'" + text + "' is not VERSION=WEIGHT, for example 3=90");
    auto version = parse_version(text.substr(0, equals));
    if (!version) return propagate(version);
    weights[std::to_string(*version)] = *weight;
  }
  return weights;
}

Result<int> traffic(Context& context, const TrafficArguments& arguments) {
  auto weights = parse_weights(arguments.weights);
  if (!weights) return propagate(weights);
  auto client = DaemonClient::open(context.connection);
  if (!client) return propagate(client);
  const auto target = function_target(arguments.name, "/traffic");
  auto answer = client->get(target);
  if (!answer) return propagate(answer);
  if (!weights->empty() || arguments.sticky) {
    json body = {{"weights", weights->empty() ? answer->at("weights") : *weights},
                 {"sticky", arguments.sticky.value_or(answer->value("sticky", ""))}};
    answer = client->send_json("PUT", target + (arguments.open ? "?open=true" : ""), body);
    if (!answer) return propagate(answer);
  }
  print_traffic(context, *answer);
  return 0;
}

}  // namespace

Verb traffic_verb() {
  auto arguments = std::make_shared<TrafficArguments>();
  return {
      .name = "traffic",
      .summary = "Show or split a function's traffic over its versions",
      .description =
          "Weights are relative: 90 and 10 are the same as 9 and 1. A version that is not named gets "
          "nothing. Callers whom what serves now refuses are let in with --open only.",
      .examples = {"mayfly traffic hello", "mayfly traffic hello 3=90 4=10",
                   "mayfly traffic hello --sticky cookie:session"},
      .arguments = {{"name", "NAME", "The function", &arguments->name, ValueKind::function, true},
                    {"weights", "VERSION=WEIGHT", "How much each version gets", &arguments->weights},
                    {"--sticky", "header:NAME|cookie:NAME",
                     "Requests with the same value go to the same version; \"\" ends it", &arguments->sticky},
                    {"--open", "", "Also if it lets in callers whom what serves now refuses",
                     &arguments->open}},
      .run = [arguments](Context& context) { return traffic(context, *arguments); }};
}

}  // namespace mayfly::cli
