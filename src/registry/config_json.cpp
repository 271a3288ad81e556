// The form in which a configuration is stored: the keys and values of mayfly.toml, as JSON.
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "registry/config_choices.h"
#include "registry/config_keys.h"
#include "registry/trigger_json.h"
#include "registry/trigger_keys.h"

namespace mayfly::registry {
namespace {

using nlohmann::json;

json async_to_json(const AsyncConfig& config) {
  json object = {{"concurrency", config.delivery.concurrency},
                 {"keep_result", format_duration(config.keep_result)}};
  put_delivery(object, config.delivery);
  return object;
}

Result<void> read_key(FunctionSpec& spec, const std::string& key, const json& value) {
  if (key == "on" && value.is_array()) return read_triggers(spec.config, value);
  if (key != "async" || !value.is_object()) return set_key(spec, key, config_value(value));
  for (const auto& [name, part] : value.items())
    if (auto set = set_async_key(spec.config.async, name, config_value(part)); !set) return set;
  return {};
}

json jwt_json(const JwtConfig& jwt) {
  json object{{"jwks", jwt.jwks}, {"issuer", jwt.issuer}, {"audience", jwt.audience}};
  std::string scopes;
  for (const auto& scope : jwt.scopes) scopes.append(scopes.empty() ? "" : " ").append(scope);
  if (!scopes.empty()) object["scopes"] = std::move(scopes);
  return object;
}

}  // namespace

std::string config_to_json(const FunctionConfig& config) {
  json object = {
      {"handler", config.handler},
      {"timeout", format_duration(config.timeout)},
      {"memory", format_size(config.memory)},
      {"tmp", format_size(config.tmp)},
      {"processes", config.processes},
      {"open_files", config.open_files},
      {"log_rate", format_size(config.log_rate)},
      {"isolation", name_of(kIsolations, config.isolation)},
      {"min_instances", config.min_instances},
      {"max_instances", config.max_instances},
      {"queue", config.queue},
      {"max_request", format_size(config.max_request)},
      {"max_response", format_size(config.max_response)},
      {"network", name_of(kNetworks, config.network)},
      {"env", json::object()},
      {"secrets", json::array()},
      {"datasets", config.datasets},
      {"routes", config.routes},
      {"class", name_of(kClasses, config.invocation_class)},
      {"eager", config.eager},
      {"access", name_of(kAccess, config.access)},
      {"on", json::array()},
      {"async", async_to_json(config.async)},
  };
  for (const auto& trigger : config.on) object["on"].push_back(trigger_to_json(trigger));
  for (const auto& [name, value] : config.env) object["env"][name] = value;
  for (const auto& secret : config.secrets)
    object["secrets"].push_back(secret.name + (secret.as_file ? ":file" : ""));
  if (!config.calls.empty()) object["calls"] = config.calls;
  if (!config.publishes.empty()) object["publishes"] = config.publishes;
  if (!config.upstream.empty()) object["upstream"] = config.upstream;
  if (!config.wrap.empty()) object["wrap"] = config.wrap;
  if (!config.tenant.empty()) object["tenant"] = config.tenant;
  if (!config.program.empty()) object["program"] = config.program;
  for (const auto& rule : config.network_allow) object["network_allow"].push_back(rule.text());
  if (!config.interpreter.empty()) object["interpreter"] = config.interpreter;
  if (config.jwt != JwtConfig{}) object["jwt"] = jwt_json(config.jwt);
  if (config.rate_limit) object["rate_limit"] = format_rate(*config.rate_limit);
  if (config.cpu) object["cpu"] = *config.cpu;
  if (config.concurrency) object["concurrency"] = *config.concurrency;
  // Variables may hold any bytes; what is no UTF-8 must not make this throw.
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<FunctionConfig> config_from_json(const std::string& text) {
  FunctionSpec spec;
  try {
    const auto object = json::parse(text);  // named: items() refers to it
    for (const auto& [key, value] : object.items()) {
      if (auto read = read_key(spec, key, value); !read) return propagate(read);
    }
  } catch (const json::exception& error) {
    return fail(RegistryErrc::bad_config, std::string("stored configuration: ") + error.what());
  }
  return spec.config;
}

}  // namespace mayfly::registry
