#include "registry/config_keys.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>

#include "base/text.h"
#include "registry/config_choices.h"
#include "registry/name.h"

namespace mayfly::registry {
namespace {

using List = std::vector<std::string>;
using Table = std::map<std::string, std::string>;
using Set = Result<void> (*)(FunctionSpec&, const ConfigValue&);

enum class Kind { text, integer, boolean, list, table, number };

constexpr const char* kind_name(Kind kind) {
  switch (kind) {
    case Kind::text:
      return "a text";
    case Kind::integer:
      return "a whole number";
    case Kind::boolean:
      return "true or false";
    case Kind::list:
      return "a list of texts";
    case Kind::table:
      return "a table of texts";
    case Kind::number:
      return "a number";
  }
  return "";
}

struct Key {
  std::string_view name;
  Kind kind;
  const char* allowed;  ///< for people, in every error about it
  Set set;              ///< the value is of the right kind; an error's message is put behind "allowed"
};

/// Each is a descriptor of the function's processes, and what is sent to them has room for so many.
constexpr std::ptrdiff_t kMaxSecretFiles = 16;

/// The value is not in `allowed`: nothing more to say.
std::unexpected<Error> refused() { return fail(RegistryErrc::bad_config, ""); }

template <auto Member, std::int64_t Low, std::int64_t High>
Result<void> integer(FunctionSpec& spec, const ConfigValue& value) {
  const auto number = std::get<std::int64_t>(value);
  if (number < Low || number > High) return refused();
  spec.config.*Member = static_cast<int>(number);
  return {};
}

template <auto Member, std::uint64_t Low, std::uint64_t High>
Result<void> size(FunctionSpec& spec, const ConfigValue& value) {
  const auto bytes = parse_size(std::get<std::string>(value));
  if (!bytes || *bytes < Low || *bytes > High) return refused();
  spec.config.*Member = *bytes;
  return {};
}

void warn(FunctionSpec& spec, std::string_view what) {
  spec.warnings.push_back(std::string(what) + " has no effect yet");
}

Result<void> set_handler(FunctionSpec& spec, const ConfigValue& value) {
  const auto& name = std::get<std::string>(value);
  if (name.empty() || name.size() > 255 || name.contains('\0')) return refused();
  spec.config.handler = name;
  return {};
}

Result<void> set_source(FunctionSpec& spec, const ConfigValue& value) {
  const std::filesystem::path path = std::get<std::string>(value);
  if (path.empty() || path.is_absolute() || std::ranges::find(path, "..") != path.end()) return refused();
  if (path.native().contains('\0')) return refused();
  spec.source = path.lexically_normal();
  return {};
}

Result<void> set_runtime(FunctionSpec& spec, const ConfigValue& value) {
  spec.runtime = value_of(kRuntimes, std::get<std::string>(value));
  return spec.runtime ? Result<void>() : refused();
}

/// What it is must be looked at where it is used: another machine may have another one at its place.
Result<void> set_interpreter(FunctionSpec& spec, const ConfigValue& value) {
  const auto& path = std::get<std::string>(value);
  if (!path.starts_with('/') || path.size() > 4096 || path.contains('\0')) return refused();
  spec.config.interpreter = path;
  return {};
}

/// A name, or names with slashes between them: an argument of a tool, never an option or a pattern.
Result<void> set_program(FunctionSpec& spec, const ConfigValue& value) {
  const std::filesystem::path path = std::get<std::string>(value);
  const auto is_plain = [](const std::filesystem::path& part) {
    const auto allowed = [](unsigned char c) {
      return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
    };
    return part == "." || (!part.empty() && !part.native().starts_with('-') &&
                           !part.native().starts_with('.') && std::ranges::all_of(part.native(), allowed));
  };
  const auto normal = path.lexically_normal();
  if (path.native().size() > 200 || normal.empty() || !std::ranges::all_of(normal, is_plain))
    return refused();
  spec.config.program = normal;
  return {};
}

Result<void> set_timeout(FunctionSpec& spec, const ConfigValue& value) {
  const auto time = parse_duration(std::get<std::string>(value));
  if (!time || *time < std::chrono::milliseconds(1) || *time > std::chrono::minutes(15)) return refused();
  spec.config.timeout = *time;
  return {};
}

Result<void> set_cpu(FunctionSpec& spec, const ConfigValue& value) {
  const auto cores = std::get<double>(value);
  if (std::isnan(cores) || cores < 0.01 || cores > 1024) return refused();
  spec.config.cpu = cores;
  return {};
}

Result<void> set_isolation(FunctionSpec& spec, const ConfigValue& value) {
  const auto chosen = value_of(kIsolations, std::get<std::string>(value));
  if (!chosen) return refused();
  spec.config.isolation = *chosen;
  return {};
}

Result<void> set_network(FunctionSpec& spec, const ConfigValue& value) {
  const auto chosen = value_of(kNetworks, std::get<std::string>(value));
  if (!chosen) return refused();
  spec.config.network = *chosen;
  return {};
}

Result<void> set_network_allow(FunctionSpec& spec, const ConfigValue& value) {
  const auto& texts = std::get<List>(value);
  if (texts.size() > network::kMaxAllowRules)
    return fail(RegistryErrc::bad_config,
                "at most " + std::to_string(network::kMaxAllowRules) + " can be listed");
  network::AllowList rules;
  for (const auto& text : texts) {
    const auto rule = network::parse_allow_rule(text);
    if (!rule) return fail(RegistryErrc::bad_config, rule.error().message);
    if (std::ranges::find(rules, *rule) != rules.end())
      return fail(RegistryErrc::bad_config, "'" + text + "' is listed twice");
    rules.push_back(*rule);
  }
  spec.config.network_allow = std::move(rules);
  return {};
}

Result<void> set_class(FunctionSpec& spec, const ConfigValue& value) {
  const auto chosen = value_of(kClasses, std::get<std::string>(value));
  if (!chosen) return refused();
  spec.config.invocation_class = *chosen;
  if (*chosen == InvocationClass::background) warn(spec, "class = \"background\"");
  return {};
}

Result<void> set_env(FunctionSpec& spec, const ConfigValue& value) {
  for (const auto& [name, text] : std::get<Table>(value)) {
    if (!is_variable_name(name))
      return fail(RegistryErrc::bad_config, "'" + name + "' is no name of a variable");
    if (text.contains('\0')) return fail(RegistryErrc::bad_config, name + " contains a zero byte");
    spec.config.env[name] = text;
  }
  return {};
}

Result<void> set_secrets(FunctionSpec& spec, const ConfigValue& value) {
  constexpr std::string_view kFile = ":file";
  std::vector<SecretUse> secrets;
  for (std::string_view name : std::get<List>(value)) {
    const bool as_file = name.ends_with(kFile);
    if (as_file) name.remove_suffix(kFile.size());
    if (!is_variable_name(name)) return refused();
    if (std::ranges::find(secrets, name, &SecretUse::name) != secrets.end())
      return fail(RegistryErrc::bad_config, "'" + std::string(name) + "' is listed twice");
    secrets.push_back({std::string(name), as_file});
  }
  if (std::ranges::count(secrets, true, &SecretUse::as_file) > kMaxSecretFiles)
    return fail(RegistryErrc::bad_config, "at most " + std::to_string(kMaxSecretFiles) + " can be files");
  spec.config.secrets = std::move(secrets);
  return {};
}

Result<void> set_datasets(FunctionSpec& spec, const ConfigValue& value) {
  const auto& names = std::get<List>(value);
  for (const auto& name : names)
    if (!check_function_name(name)) return refused();
  spec.config.datasets = names;
  if (!names.empty()) warn(spec, "datasets");
  return {};
}

/// Only the outline; what a pattern may be is router/'s to say.
Result<void> set_routes(FunctionSpec& spec, const ConfigValue& value) {
  const auto& routes = std::get<List>(value);
  for (const auto& route : routes)
    if (!route.contains('/') || route.size() > 1024) return refused();
  spec.config.routes = routes;
  return {};
}

Result<void> set_access(FunctionSpec& spec, const ConfigValue& value) {
  const auto chosen = value_of(kAccess, std::get<std::string>(value));
  if (!chosen) return refused();
  spec.config.access = *chosen;
  return {};
}

/// Where keys may lie is access/'s to say; here only the outline, as for routes.
Result<void> set_jwt(FunctionSpec& spec, const ConfigValue& value) {
  auto& jwt = spec.config.jwt;
  for (const auto& [name, text] : std::get<Table>(value)) {
    if (text.empty() || text.size() > 2048 || text.contains('\0')) return refused();
    if (name == "jwks")
      jwt.jwks = text;
    else if (name == "issuer")
      jwt.issuer = text;
    else if (name == "audience")
      jwt.audience = text;
    else
      return refused();
  }
  return {};
}

Result<void> set_rate_limit(FunctionSpec& spec, const ConfigValue& value) {
  spec.config.rate_limit = parse_rate(std::get<std::string>(value));
  return spec.config.rate_limit ? Result<void>() : refused();
}

Result<void> set_eager(FunctionSpec& spec, const ConfigValue& value) {
  spec.config.eager = std::get<bool>(value);
  return {};
}

using Config = FunctionConfig;
constexpr std::uint64_t kMiB = 1ULL << 20U;

constexpr std::array kKeys{
    Key{"source", Kind::text, "a file or folder below mayfly.toml, like \"hello.js\"", set_source},
    Key{"handler", Kind::text, "the name of an export", set_handler},
    Key{"runtime", Kind::text, "\"node\", \"python\", \"native\" or \"exec\"", set_runtime},
    Key{"interpreter", Kind::text, "the absolute path of a python3 or node", set_interpreter},
    Key{"program", Kind::text, "a folder below go.mod like \"cmd/serve\", or the name of a Cargo binary",
        set_program},
    Key{"timeout", Kind::text, "1ms to 15m, like \"10s\"", set_timeout},
    Key{"memory", Kind::text, "16MiB to 64GiB, like \"128MiB\"",
        size<&Config::memory, 16 * kMiB, 65536 * kMiB>},
    Key{"cpu", Kind::number, "0.01 to 1024 cores, like 0.5", set_cpu},
    Key{"processes", Kind::integer, "8 to 100000", integer<&Config::processes, 8, 100'000>},
    Key{"open_files", Kind::integer, "64 to 1000000", integer<&Config::open_files, 64, 1'000'000>},
    Key{"tmp", Kind::text, "4KiB to 64GiB, like \"64MiB\"", size<&Config::tmp, 4096, 65536 * kMiB>},
    Key{"log_rate", Kind::text, "1KiB to 1GiB (a second), like \"1MiB\"",
        size<&Config::log_rate, 1024, 1024 * kMiB>},
    Key{"concurrency", Kind::integer, "1 to 1000", integer<&Config::concurrency, 1, 1000>},
    Key{"isolation", Kind::text, "\"instance\" or \"request\"", set_isolation},
    Key{"min_instances", Kind::integer, "0 to max_instances (at most 10000)",
        integer<&Config::min_instances, 0, 10'000>},
    Key{"max_instances", Kind::integer, "1 to 10000", integer<&Config::max_instances, 1, 10'000>},
    Key{"queue", Kind::integer, "0 to 1000000", integer<&Config::queue, 0, 1'000'000>},
    Key{"max_request", Kind::text, "0B to 64GiB, like \"32MiB\"",
        size<&Config::max_request, 0, 65536 * kMiB>},
    Key{"max_response", Kind::text, "0B to 64GiB, like \"1GiB\"",
        size<&Config::max_response, 0, 65536 * kMiB>},
    Key{"network", Kind::text, "\"none\", \"outbound\" or \"host\"", set_network},
    Key{"network_allow", Kind::list,
        "IPv4 addresses or ranges, with a port if wanted, like \"10.1.2.0/24\", \"192.168.0.5:5432\"",
        set_network_allow},
    Key{"env", Kind::table, "variables with a value each, like { GREETING = \"hi\" }", set_env},
    Key{"secrets", Kind::list, "names of secrets, like \"STRIPE_KEY\", or \"TLS_KEY:file\"", set_secrets},
    Key{"datasets", Kind::list, "names of datasets", set_datasets},
    Key{"routes", Kind::list, "patterns with a path, like \"GET /hello/*\"", set_routes},
    Key{"class", Kind::text, "\"interactive\" or \"background\"", set_class},
    Key{"access", Kind::text, "\"public\", \"key\" or \"jwt\"", set_access},
    Key{"jwt", Kind::table,
        "{ jwks = \"https://...\", issuer = \"...\", audience = \"...\" }, with texts of at most 2048 bytes",
        set_jwt},
    Key{"rate_limit", Kind::text, "a rate like \"100/s\", \"1000/h\" or \"10/s burst 50\"", set_rate_limit},
    Key{"eager", Kind::boolean, "true or false", set_eager},
};

/// Known from the design, of later stages: named so that nobody takes them for misspelt, or for working.
constexpr std::array<std::string_view, 2> kLater{"on", "wrap"};

std::unexpected<Error> bad_key(std::string_view name) {
  std::vector<std::string_view> names;
  for (const auto& key : kKeys) names.push_back(key.name);
  auto error = fail(RegistryErrc::bad_config,
                    "unknown key '" + std::string(name.substr(0, 80)) + "'" + did_you_mean(name, names));
  error.error().with("key", std::string(name.substr(0, 80)));
  return error;
}

std::unexpected<Error> bad_value(const Key& key, const std::string& why) {
  auto message = std::string(key.name) + ": " + (why.empty() ? "" : why + "; ") + "allowed is " + key.allowed;
  auto error = fail(RegistryErrc::bad_config, std::move(message));
  error.error().with("key", std::string(key.name)).with("allowed", key.allowed);
  return error;
}

const Key* find_key(std::string_view name) {
  const auto* key = std::ranges::find(kKeys, name, &Key::name);
  return key == kKeys.end() ? nullptr : key;
}

/// A whole number is a number, too.
ConfigValue as_kind(const ConfigValue& value, Kind kind) {
  const auto* whole = std::get_if<std::int64_t>(&value);
  return kind == Kind::number && whole != nullptr ? ConfigValue(static_cast<double>(*whole)) : value;
}

bool is_kind(const ConfigValue& value, Kind kind) { return value.index() == static_cast<std::size_t>(kind); }

std::optional<double> parse_number(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

List split(std::string_view text) {
  List items;
  while (!text.empty()) {
    const auto end = std::min(text.find(','), text.size());
    items.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return items;
}

Result<ConfigValue> read_value(const Key& key, std::string_view text) {
  switch (key.kind) {
    case Kind::text:
      return ConfigValue(std::string(text));
    case Kind::list:
      return ConfigValue(split(text));
    case Kind::integer:
      if (const auto number = parse_integer(text)) return ConfigValue(*number);
      break;
    case Kind::boolean:
      if (text == "true" || text == "false") return ConfigValue(text == "true");
      break;
    case Kind::number:
      if (const auto number = parse_number(text)) return ConfigValue(*number);
      break;
    case Kind::table:
      return bad_value(key, "give each part as " + std::string(key.name) + ".NAME=value");
  }
  return bad_value(key, "'" + std::string(text.substr(0, 80)) + "' is not " + kind_name(key.kind));
}

}  // namespace

Result<void> set_key(FunctionSpec& spec, std::string_view name, const ConfigValue& given) {
  if (std::ranges::find(kLater, name) != kLater.end()) {
    warn(spec, name);
    return {};
  }
  const Key* key = find_key(name);
  if (key == nullptr) return bad_key(name);
  const auto value = as_kind(given, key->kind);
  if (!is_kind(value, key->kind)) return bad_value(*key, std::string("it has to be ") + kind_name(key->kind));
  auto set = key->set(spec, value);
  if (!set) return bad_value(*key, set.error().message);
  return {};
}

Result<void> set_text(FunctionSpec& spec, std::string_view setting) {
  const auto equals = setting.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return fail(RegistryErrc::bad_config,
                "a setting has the form key=value, not '" + std::string(setting.substr(0, 80)) + "'");
  }
  const auto name = setting.substr(0, equals);
  const auto text = setting.substr(equals + 1);
  for (const std::string_view table : {"env", "jwt"})
    if (name.starts_with(table) && name.substr(table.size()).starts_with('.'))
      return set_key(spec, table, Table{{std::string(name.substr(table.size() + 1)), std::string(text)}});
  const Key* key = find_key(name);
  if (key == nullptr) return set_key(spec, name, std::string(text));
  auto value = read_value(*key, text);
  if (!value) return propagate(value);
  return set_key(spec, name, *value);
}

Result<void> check_together(const FunctionConfig& config) {
  for (const auto& secret : config.secrets) {
    if (!config.env.contains(secret.name)) continue;
    auto error =
        fail(RegistryErrc::bad_config, "'" + secret.name + "' is in env and in secrets: which is meant?");
    error.error().with("key", "secrets");
    return error;
  }
  const auto& jwt = config.jwt;
  if (config.access == Access::jwt && (jwt.jwks.empty() || jwt.issuer.empty() || jwt.audience.empty())) {
    // Without these a token that was made for someone else would be good here.
    auto error =
        fail(RegistryErrc::bad_config, "access = \"jwt\" needs jwt.jwks, jwt.issuer and jwt.audience");
    error.error().with("key", "jwt");
    return error;
  }
  if (!config.network_allow.empty() && config.network != Network::outbound) {
    auto error = fail(RegistryErrc::bad_config, "network_allow belongs to network = \"outbound\", not to \"" +
                                                    name_of(kNetworks, config.network) + "\"");
    error.error().with("key", "network_allow");
    return error;
  }
  if (config.min_instances <= config.max_instances) return {};
  auto error = fail(RegistryErrc::bad_config, "min_instances (" + std::to_string(config.min_instances) +
                                                  ") is more than max_instances (" +
                                                  std::to_string(config.max_instances) + ")");
  error.error().with("key", "min_instances");
  return error;
}

}  // namespace mayfly::registry
