#include <algorithm>
#include <ranges>

#include "base/ascii.h"
#include "base/text.h"
#include "cli/daemon_client.h"
#include "cli/error.h"
#include "cli/input.h"
#include "cli/toml_file.h"
#include "cli/verbs.h"

namespace mayfly::cli {
namespace {

/// As given; what is not given is taken from the configuration file, then from ServeOptions' defaults.
struct ServeArguments {
  std::optional<std::string> config;
  std::optional<std::string> data;
  std::optional<std::string> listen;
  std::optional<std::string> admin;
  std::optional<std::string> admin_host;
  std::optional<std::string> tls_cert;
  std::optional<std::string> tls_key;
  std::optional<std::string> admin_tls_cert;
  std::optional<std::string> admin_tls_key;
  std::optional<std::string> threads;
  std::optional<std::string> memory_budget;
  std::optional<std::string> dataset_budget;
  std::optional<std::string> require;
  std::optional<std::string> sandbox;
  std::optional<std::string> node;
  std::optional<std::string> python;
  std::optional<std::string> esbuild;
  std::optional<std::string> drain;
  std::optional<std::string> build_limit;
  std::optional<std::string> build_memory;
  std::optional<std::string> max_connections;
  std::optional<std::string> max_header;
  std::optional<std::string> header_timeout;
  std::optional<std::string> idle_timeout;
  std::optional<std::string> cgroups;
  std::optional<std::string> metering;
  std::optional<std::string> prices;
  std::optional<std::string> outbound_allow;
  std::optional<std::string> log_level;

  [[nodiscard]] std::vector<std::pair<std::string_view, std::optional<std::string>*>> by_key() {
    return {{"data", &data},
            {"listen", &listen},
            {"admin", &admin},
            {"admin-host", &admin_host},
            {"tls-cert", &tls_cert},
            {"tls-key", &tls_key},
            {"admin-tls-cert", &admin_tls_cert},
            {"admin-tls-key", &admin_tls_key},
            {"threads", &threads},
            {"memory-budget", &memory_budget},
            {"dataset-budget", &dataset_budget},
            {"require", &require},
            {"sandbox", &sandbox},
            {"node", &node},
            {"python", &python},
            {"esbuild", &esbuild},
            {"drain", &drain},
            {"build-limit", &build_limit},
            {"build-memory", &build_memory},
            {"max-connections", &max_connections},
            {"max-header", &max_header},
            {"header-timeout", &header_timeout},
            {"idle-timeout", &idle_timeout},
            {"cgroups", &cgroups},
            {"metering", &metering},
            {"prices", &prices},
            {"outbound-allow", &outbound_allow},
            {"log-level", &log_level}};
  }
};

/// ["a", "b"] as "a,b", which is how a list is written on the command line.
std::optional<std::string> text_of_list(const toml::node& value) {
  if (!value.is_array()) return std::nullopt;
  std::string text;
  for (const auto& each : *value.as_array()) {
    const auto part = each.value_exact<std::string>();
    if (!part) return std::nullopt;
    text += (text.empty() ? "" : ",") + *part;
  }
  return text;
}

Result<void> read_config(ServeArguments& arguments) {
  if (!arguments.config) return {};
  auto text = read_file(*arguments.config);
  if (!text) return fail(CliErrc::usage, text.error().message);
  const auto parsed = parse_toml(*text, *arguments.config);
  if (!parsed) return fail(CliErrc::usage, parsed.error().message);
  auto keys = arguments.by_key();
  for (const auto& [key, value] : *parsed) {
    const auto found = std::ranges::find(keys, key.str(), [](const auto& each) { return each.first; });
    if (found == keys.end()) {
      std::vector<std::string_view> names;
      for (const auto& [name, ignored] : keys) names.push_back(name);
      return fail(CliErrc::usage, *arguments.config + ": there is no key '" + std::string(key.str()) + "'" +
                                      did_you_mean(key.str(), names));
    }
    if (found->second->has_value()) continue;  // the command line wins
    if (const auto string = value.value_exact<std::string>())
      *found->second = *string;
    else if (const auto number = value.value_exact<std::int64_t>())
      *found->second = std::to_string(*number);
    else if (const auto list = text_of_list(value))
      *found->second = *list;
    else
      return fail(CliErrc::usage, *arguments.config + ": '" + std::string(key.str()) +
                                      "' must be a string, a number or a list of strings");
  }
  return {};
}

std::unexpected<Error> bad(const std::string& option, const std::string& value, const std::string& wanted) {
  return fail(CliErrc::usage, "--" + option + " " + value + ": " + wanted);
}

Result<void> check_address(const std::string& option, const std::string& text) {
  const auto colon = text.rfind(':');
  const auto port =
      colon == std::string::npos ? std::nullopt : parse_integer(std::string_view(text).substr(colon + 1));
  if (!port || *port < 0 || *port > 65535 || colon == 0)
    return bad(option, text, "must be ADDRESS:PORT, for example 127.0.0.1:8080");
  return {};
}

/// A whole number of 0…max, if the option was given.
template <class T>
Result<void> take_number(const char* option, const std::optional<std::string>& text, std::int64_t max,
                         T& target) {
  if (!text) return {};
  const auto number = parse_integer(*text);
  if (!number || *number < 0 || *number > max)
    return bad(option, *text, "must be 0 to " + std::to_string(max));
  target = static_cast<T>(*number);
  return {};
}

template <class T>
Result<void> take_size(const char* option, const std::optional<std::string>& text, std::uint64_t max,
                       T& target) {
  if (!text) return {};
  const auto size = parse_size(*text);
  if (!size || *size > max)
    return bad(option, *text, "must be a size of at most " + format_size(max) + ", for example 64KiB");
  target = static_cast<T>(*size);
  return {};
}

/// With less not even the tools themselves start.
Result<void> take_build_memory(const std::optional<std::string>& text, std::uint64_t& target) {
  constexpr std::uint64_t kLeast = 64ULL << 20U;
  if (auto taken = take_size("build-memory", text, 1ULL << 50U, target); !taken) return taken;
  if (target >= kLeast) return {};
  return bad("build-memory", *text, "must be at least " + format_size(kLeast));
}

Result<void> take_duration(const char* option, const std::optional<std::string>& text,
                           std::chrono::milliseconds& target) {
  if (!text) return {};
  const auto duration = parse_duration(*text);
  if (!duration) return bad(option, *text, "must be a duration, for example 30s");
  target = *duration;
  return {};
}

Result<void> take_quantities(const ServeArguments& arguments, ServeOptions& options) {
  for (auto& taken :
       {take_number("threads", arguments.threads, 1024, options.threads),
        take_number("max-connections", arguments.max_connections, 1'000'000, options.max_connections),
        take_size("memory-budget", arguments.memory_budget, 1ULL << 50U, options.memory_budget),
        take_size("dataset-budget", arguments.dataset_budget, 1ULL << 50U, options.dataset_budget),
        take_build_memory(arguments.build_memory, options.build_memory),
        take_size("max-header", arguments.max_header, 512ULL << 10U, options.max_header),
        take_duration("drain", arguments.drain, options.drain),
        take_duration("build-limit", arguments.build_limit, options.build_limit),
        take_duration("header-timeout", arguments.header_timeout, options.header_timeout),
        take_duration("idle-timeout", arguments.idle_timeout, options.idle_timeout)})
    if (!taken) return taken;
  return {};
}

Result<void> take_tls(const std::string& option, const std::optional<std::string>& certificate,
                      const std::optional<std::string>& key, TlsFiles& target) {
  if (certificate.has_value() != key.has_value())
    return fail(CliErrc::usage, "--" + option + "-cert and --" + option + "-key go together");
  if (certificate) target = {std::filesystem::absolute(*certificate), std::filesystem::absolute(*key)};
  return {};
}

Result<ServeOptions> options_of(ServeArguments arguments) {
  auto read = read_config(arguments);
  if (!read) return propagate(read);
  ServeOptions options;
  std::error_code ignored;  // functions see parts of it, at the place where it is: not by a link
  options.data = std::filesystem::weakly_canonical(data_folder(arguments.data), ignored);
  options.listen = arguments.listen.value_or(options.listen);
  options.admin = arguments.admin.value_or(options.admin);
  for (const auto part : std::views::split(arguments.admin_host.value_or(""), ','))
    if (!part.empty()) options.admin_names.push_back(lower(std::string_view(part)));
  for (const auto part : std::views::split(arguments.require.value_or(""), ','))
    if (!part.empty()) options.require.push_back(lower(std::string_view(part)));
  for (const auto part : std::views::split(arguments.outbound_allow.value_or(""), ','))
    if (!part.empty()) options.outbound_allow.emplace_back(std::string_view(part));
  const auto sandbox = arguments.sandbox.value_or("on");
  if (sandbox != "on" && sandbox != "off") return bad("sandbox", sandbox, "must be on or off");
  options.sandbox = sandbox == "on";
  if (!options.sandbox && !options.require.empty())
    return bad("sandbox", sandbox, "--require asks for layers of it");
  options.node = arguments.node.value_or("");
  options.python = arguments.python.value_or("");
  options.esbuild = arguments.esbuild.value_or("");
  options.log_level = arguments.log_level.value_or(options.log_level);
  for (const auto& [option, address] :
       {std::pair("listen", options.listen), std::pair("admin", options.admin)}) {
    auto checked = check_address(option, address);
    if (!checked) return propagate(checked);
  }
  for (auto& taken :
       {take_tls("tls", arguments.tls_cert, arguments.tls_key, options.tls),
        take_tls("admin-tls", arguments.admin_tls_cert, arguments.admin_tls_key, options.admin_tls)})
    if (!taken) return std::unexpected(taken.error());
  static constexpr std::array<std::string_view, 4> kLevels{"debug", "info", "warn", "error"};
  if (std::ranges::find(kLevels, options.log_level) == kLevels.end())
    return bad("log-level", options.log_level, "must be debug, info, warn or error");
  if (arguments.cgroups.value_or("auto") != "auto" && *arguments.cgroups != "off")
    return bad("cgroups", *arguments.cgroups, "must be auto or off");
  options.cgroups = arguments.cgroups != "off";
  if (arguments.metering.value_or("on") != "on" && *arguments.metering != "off")
    return bad("metering", *arguments.metering, "must be on or off");
  options.metering = arguments.metering != "off";
  if (arguments.prices) options.prices = *arguments.prices;
  auto taken = take_quantities(arguments, options);
  if (!taken) return propagate(taken);
  return options;
}

}  // namespace

Verb serve_verb(const ServeFunction& serve) {
  auto a = std::make_shared<ServeArguments>();
  return {
      .name = "serve",
      .summary = "Run the daemon",
      .description =
          "Serves functions on the data plane and the admin API on the admin plane, until SIGTERM or Ctrl-C: "
          "then "
          "requests in flight are let end first. What is deployed is kept in the data folder and served "
          "again after a "
          "restart. The first start makes the admin token there.\n\n"
          "Certificates are read again at SIGHUP, and when their files change; connections that stand go "
          "on.\n\n"
          "--config names a TOML file with the long names of these options as keys: listen = \"0.0.0.0:80\". "
          "What is "
          "given on the command line wins.",
      .examples = {"mayfly serve", "mayfly serve --data ./data --listen 0.0.0.0:8080 --admin 127.0.0.1:8081"},
      .arguments =
          {{"--data", "DIR", "The data folder (else MAYFLY_DATA, else the default)", &a->data,
            ValueKind::path},
           {"--listen", "ADDRESS:PORT", "Where functions answer (127.0.0.1:8080)", &a->listen},
           {"--admin", "ADDRESS:PORT", "Where the admin API answers (127.0.0.1:8081)", &a->admin},
           {"--admin-host", "NAMES",
            "Names by which the admin API may be asked, besides its address and localhost", &a->admin_host},
           {"--tls-cert", "FILE",
            "The data plane speaks TLS: its certificate and those that lead to the root, PEM", &a->tls_cert,
            ValueKind::path},
           {"--tls-key", "FILE", "The key of that certificate, PEM", &a->tls_key, ValueKind::path},
           {"--admin-tls-cert", "FILE", "Likewise for the admin plane", &a->admin_tls_cert, ValueKind::path},
           {"--admin-tls-key", "FILE", "The key of that certificate", &a->admin_tls_key, ValueKind::path},
           {"--threads", "N", "Threads of the data plane (0: one for each processor)", &a->threads},
           {"--memory-budget", "SIZE", "For instances and templates (half of the machine's)",
            &a->memory_budget},
           {"--dataset-budget", "SIZE", "For datasets together (half of the machine's)", &a->dataset_budget},
           {"--require", "LAYERS",
            "Do not start without these layers of the sandbox and limits: namespaces, users, seccomp, "
            "landlock, "
            "memory-limit, cpu-limit, process-limit",
            &a->require},
           {"--sandbox", "on|off",
            "off: functions run without a sandbox, as the daemon's user; to compare, and for nothing else "
            "(on)",
            &a->sandbox},
           {"--node", "PATH", "Node's executable (node, from PATH)", &a->node, ValueKind::path},
           {"--python", "PATH", "Python's executable (python3, from PATH)", &a->python, ValueKind::path},
           {"--esbuild", "PATH", "esbuild's executable (looked for beside the binary)", &a->esbuild,
            ValueKind::path},
           {"--drain", "DURATION", "How long requests may go on at the end (30s)", &a->drain},
           {"--build-limit", "DURATION", "How long each tool of a build may run (5m)", &a->build_limit},
           {"--build-memory", "SIZE", "What a tool of a build and all it starts may use (2GiB)",
            &a->build_memory},
           {"--max-connections", "N", "Connections to the data plane at once (10000)", &a->max_connections},
           {"--max-header", "SIZE", "Of a request's header (32KiB)", &a->max_header},
           {"--header-timeout", "DURATION", "To send a request's header (10s)", &a->header_timeout},
           {"--idle-timeout", "DURATION", "Until a connection without a request is closed (75s)",
            &a->idle_timeout},
           {"--cgroups", "auto|off", "Whether to limit functions by control groups, where there are (auto)",
            &a->cgroups},
           {"--metering", "on|off", "Whether to keep what functions use, for `mayfly usage` (on)",
            &a->metering},
           {"--prices", "FILE",
            "The price sheet of `mayfly bill`, in TOML; without it there is a default one", &a->prices,
            ValueKind::path},
           {"--outbound-allow", "RANGES",
            "Addresses that callbacks, upstreams and URLs of jwks may lead to besides the public internet: "
            "10.1.0.0/16,192.168.7.9",
            &a->outbound_allow},
           {"--log-level", "LEVEL", "debug, info, warn or error (info)", &a->log_level},
           {"--config", "FILE", "A TOML file with these options", &a->config, ValueKind::path}},
      .run = [a, serve](Context&) -> Result<int> {
        auto options = options_of(*a);
        if (!options) return propagate(options);
        return serve(*options);
      },
      .connects = false,
      .prints = false};
}

}  // namespace mayfly::cli
