#include "registry/config_keys.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>

#include "base/text.h"
#include "outbound/url.h"
#include "registry/config_choices.h"
#include "registry/key_table.h"
#include "registry/name.h"
#include "registry/trigger_keys.h"

namespace mayfly::registry {
namespace {

/// Each is a descriptor of the function's processes, and what is sent to them has room for so many.
constexpr std::ptrdiff_t kMaxSecretFiles = 16;
constexpr std::size_t kMaxDatasets = 16;

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
  return spec.runtime && *spec.runtime != Runtime::upstream ? Result<void>() : refused();
}

/// What is behind the URL's path is put there from the request.
Result<void> set_upstream(FunctionSpec& spec, const ConfigValue& value) {
  const auto& text = std::get<std::string>(value);
  const auto url = outbound::parse_url(text);
  if (!url || !url->query.empty() || text.contains('?') || text.contains('#')) return refused();
  spec.config.upstream = text;
  spec.runtime = Runtime::upstream;
  return {};
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

Result<void> set_tenant(FunctionSpec& spec, const ConfigValue& value) {
  const auto& name = std::get<std::string>(value);
  if (!name.empty() && !check_function_name(name)) return refused();
  spec.config.tenant = name;
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
  auto sorted = names;  // as in the variables that executables find them by
  for (auto& name : sorted) std::ranges::replace(name, '-', '_');
  std::ranges::sort(sorted);
  if (std::ranges::adjacent_find(sorted) != sorted.end())
    return fail(RegistryErrc::bad_config,
                "a dataset is listed twice, or two that differ in '-' and '_' only");
  if (names.size() > kMaxDatasets)
    return fail(RegistryErrc::bad_config, "at most " + std::to_string(kMaxDatasets) + " can be listed");
  spec.config.datasets = names;
  return {};
}

constexpr std::size_t kMaxListed = 1000;

/// A name, or the beginning of names and "*".
bool is_name_pattern(std::string_view text, std::string_view allowed) {
  if (text.ends_with('*')) text.remove_suffix(1);
  return text.size() <= 200 && text.find_first_not_of(allowed) == std::string_view::npos;
}

template <auto Member>
Result<void> name_patterns(FunctionSpec& spec, const ConfigValue& value) {
  const std::string_view names = "abcdefghijklmnopqrstuvwxyz0123456789-_";
  const std::string_view topics = "abcdefghijklmnopqrstuvwxyz0123456789-_.ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const auto& patterns = std::get<List>(value);
  const bool functions = &(spec.config.*Member) == &spec.config.calls;
  for (const auto& pattern : patterns)
    if (pattern.empty() || !is_name_pattern(pattern, functions ? names : topics)) return refused();
  if (patterns.size() > kMaxListed) return refused();
  spec.config.*Member = patterns;
  return {};
}

/// A chain that is longer is refused where it is used: one decorator can have others around it.
Result<void> set_wrap(FunctionSpec& spec, const ConfigValue& value) {
  constexpr std::size_t kMaxWrap = 15;
  const auto& names = std::get<List>(value);
  for (const auto& name : names)
    if (!check_function_name(name)) return refused();
  if (names.size() > kMaxWrap)
    return fail(RegistryErrc::bad_config, "at most " + std::to_string(kMaxWrap) + " can be listed");
  spec.config.wrap = names;
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
  spec.says_access = true;
  return {};
}

/// RFC 6749, section 3.3: what a scope may be made of; without the comma, which divides them on the command
/// line.
bool is_scope(std::string_view text) {
  const auto allowed = [](char c) { return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != ','; };
  return !text.empty() && std::ranges::all_of(text, allowed);
}

/// A list, or "read write" with blanks or commas.
Result<void> set_scopes(JwtConfig& jwt, const List& given) {
  jwt.scopes.clear();
  for (std::string_view text : given) {
    while (!text.empty()) {
      const auto end = std::min(text.find_first_of(" ,"), text.size());
      const auto scope = text.substr(0, end);
      text.remove_prefix(std::min(end + 1, text.size()));
      if (!is_scope(scope)) return refused();
      jwt.scopes.emplace_back(scope);
    }
  }
  return jwt.scopes.empty() ? refused() : Result<void>();
}

/// Where keys may lie is access/'s to say; here only the outline, as for routes.
Result<void> set_jwt(FunctionSpec& spec, const ConfigValue& value) {
  auto& jwt = spec.config.jwt;
  for (const auto& [name, texts] : std::get<Lists>(value)) {
    for (const auto& text : texts)
      if (text.empty() || text.size() > 2048 || text.contains('\0')) return refused();
    if (name == "scopes") {
      if (!set_scopes(jwt, texts)) return refused();
      continue;
    }
    if (texts.size() != 1) return refused();
    if (name == "jwks")
      jwt.jwks = texts.front();
    else if (name == "issuer")
      jwt.issuer = texts.front();
    else if (name == "audience")
      jwt.audience = texts.front();
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

/// These have keys of their own (trigger_keys.h): named here for who misspells or misplaces them.
Result<void> refuse(FunctionSpec&, const ConfigValue&) { return refused(); }

using Config = FunctionConfig;
using Key = KeyOf<FunctionSpec>;
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
    Key{"calls", Kind::list, "names of functions, like \"resize\" or \"image-*\"",
        name_patterns<&Config::calls>},
    Key{"publishes", Kind::list, "names of topics, like \"image.uploaded\" or \"image.*\"",
        name_patterns<&Config::publishes>},
    Key{"upstream", Kind::text, "a URL like \"http://10.0.0.7:8000/api\", without a query", set_upstream},
    Key{"wrap", Kind::list, "names of functions that are around it, the outermost first", set_wrap},
    Key{"routes", Kind::list, "patterns with a path, like \"GET /hello/*\"", set_routes},
    Key{"class", Kind::text, "\"interactive\" or \"background\"", set_class},
    Key{"tenant", Kind::text, "a name like \"acme\": lower-case letters, digits, '-' and '_', at most 63",
        set_tenant},
    Key{"access", Kind::text, "\"public\", \"key\" or \"jwt\"", set_access},
    Key{"jwt", Kind::lists,
        "{ jwks = \"https://...\", issuer = \"...\", audience = \"...\", scopes = [\"...\"] }, with texts of "
        "at most "
        "2048 bytes",
        set_jwt},
    Key{"rate_limit", Kind::text, "a rate like \"100/s\", \"1000/h\" or \"10/s burst 50\"", set_rate_limit},
    Key{"eager", Kind::boolean, "true or false", set_eager},
    Key{"on", Kind::table, "one [[functions.NAME.on]] with a topic or a schedule for each", refuse},
    Key{"async", Kind::table, "a table [functions.NAME.async] with attempts, backoff and the like", refuse},
};

constexpr std::span<const Key> keys() { return kKeys; }

/// "env.NAME" → "NAME", if the table is "env".
std::optional<std::string_view> part_of(std::string_view table, std::string_view name) {
  if (!name.starts_with(table) || !name.substr(table.size()).starts_with('.')) return std::nullopt;
  return name.substr(table.size() + 1);
}

}  // namespace

Result<void> set_key(FunctionSpec& spec, std::string_view name, const ConfigValue& given) {
  return set_in(keys(), "", spec, name, given);
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
    if (const auto part = part_of(table, name))
      return set_key(spec, table, Table{{std::string(*part), std::string(text)}});
  if (const auto part = part_of("on", name)) return set_trigger_text(spec, *part, text);
  if (const auto part = part_of("async", name)) return set_async_text(spec.config.async, *part, text);
  if (name == "on" && text.empty()) {
    spec.config.on.clear();
    spec.set_trigger = 0;
    return {};
  }
  return set_text_in(keys(), "", spec, name, text);
}

namespace {

/// No code of ours runs, so nothing can be said about it.
Result<void> check_upstream(const FunctionConfig& config) {
  const std::array<std::pair<const char*, bool>, 5> senseless{{{"on", !config.on.empty()},
                                                               {"eager", config.eager},
                                                               {"min_instances", config.min_instances != 0},
                                                               {"secrets", !config.secrets.empty()},
                                                               {"env", !config.env.empty()}}};
  for (const auto& [key, is_set] : senseless) {
    if (!is_set) continue;
    auto error = fail(RegistryErrc::bad_config,
                      std::string(key) + " says nothing to an upstream, which is not a function");
    error.error().with("key", key);
    return error;
  }
  return {};
}

}  // namespace

Result<void> check_together(const FunctionConfig& config) {
  if (!config.upstream.empty())
    if (auto checked = check_upstream(config); !checked) return checked;
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
  if (config.min_instances <= config.max_instances) return check_triggers(config);
  auto error = fail(RegistryErrc::bad_config, "min_instances (" + std::to_string(config.min_instances) +
                                                  ") is more than max_instances (" +
                                                  std::to_string(config.max_instances) + ")");
  error.error().with("key", "min_instances");
  return error;
}

}  // namespace mayfly::registry
