// The form in which a configuration is stored: the keys and values of mayfly.toml, as JSON.
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "registry/config_choices.h"
#include "registry/config_keys.h"

namespace mayfly::registry {
namespace {

using nlohmann::json;

std::optional<ConfigValue> value_from(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (value.is_number_float()) return value.get<double>();
  if (value.is_array()) return value.get<std::vector<std::string>>();
  if (value.is_object()) return value.get<std::map<std::string, std::string>>();
  return std::nullopt;
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
  };
  for (const auto& [name, value] : config.env) object["env"][name] = value;
  for (const auto& secret : config.secrets)
    object["secrets"].push_back(secret.name + (secret.as_file ? ":file" : ""));
  if (!config.program.empty()) object["program"] = config.program;
  for (const auto& rule : config.network_allow) object["network_allow"].push_back(rule.text());
  if (!config.interpreter.empty()) object["interpreter"] = config.interpreter;
  if (config.jwt != JwtConfig{})
    object["jwt"] = {
        {"jwks", config.jwt.jwks}, {"issuer", config.jwt.issuer}, {"audience", config.jwt.audience}};
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
      const auto read = value_from(value);
      if (!read) return fail(RegistryErrc::bad_config, "stored configuration: " + key);
      if (auto set = set_key(spec, key, *read); !set) return propagate(set);
    }
  } catch (const json::exception& error) {
    return fail(RegistryErrc::bad_config, std::string("stored configuration: ") + error.what());
  }
  return spec.config;
}

}  // namespace mayfly::registry
