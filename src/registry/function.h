// What a function is to the rest of the platform: its configuration and its immutable versions.
#pragma once

#include <algorithm>
#include <chrono>
#include <compare>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/rate.h"
#include "network/allow_rule.h"
#include "registry/trigger.h"

namespace mayfly::registry {

/// `upstream`: no code of ours runs, it is a server elsewhere.
enum class Runtime { node, python, native, exec, upstream };
enum class Isolation { instance, request };
enum class Network { none, outbound, host };
enum class InvocationClass { interactive, background };
/// Who may call a function: everyone, who has an API key, who has a token of an issuer.
enum class Access { everyone, key, jwt };

/// Which tokens (JWT) are good, with Access::jwt.
struct JwtConfig {
  std::string jwks{};                 ///< where the issuer's keys are: an absolute path, or a URL
  std::string issuer{};               ///< what `iss` must be
  std::string audience{};             ///< what `aud` must be, or hold
  std::vector<std::string> scopes{};  ///< all of which `scope` or `scp` must hold
  bool operator==(const JwtConfig&) const = default;
};

/// A secret that a function lists: "NAME", or "NAME:file".
struct SecretUse {
  std::string name;      ///< of the secret, and of the variable
  bool as_file = false;  ///< the variable holds the path of a file with the value
};

/// The keys of [functions.NAME] in mayfly.toml. Every field has the default that a single file gets.
struct FunctionConfig {
  std::string handler = "default";            ///< name of the export that is the handler
  std::string interpreter{};                  ///< absolute path of a Python or Node; empty: the daemon's
  std::string program{};                      ///< of several in a go.mod or Cargo.toml: folder, or name
  std::chrono::milliseconds timeout{10'000};  ///< the one deadline, waiting included; 1 ms … 15 min
  std::uint64_t memory = 128ULL << 20U;       ///< bytes; 16 MiB … 64 GiB; of one instance
  std::uint64_t tmp = 64ULL << 20U;           ///< bytes of its /tmp, 4 KiB … 64 GiB
  std::optional<double> cpu;                  ///< cores of all its instances, 0.01 … 1024; unset: all
  int processes = 256;                        ///< of one instance, threads included; 8 … 100000
  int open_files = 1024;                      ///< of one process; 64 … 1000000
  std::uint64_t log_rate = 1ULL << 20U;       ///< bytes of log a second, of all instances; 1 KiB … 1 GiB
  std::optional<int> concurrency;  ///< invocations an instance takes at once, 1…1000; unset: by handler form
  Isolation isolation = Isolation::instance;
  int min_instances = 0;   ///< 0…max_instances, kept alive always
  int max_instances = 64;  ///< 1…10000
  int queue = 10'000;      ///< invocations that may wait, 0…1000000; one more is answered 503
  std::uint64_t max_request = 32ULL << 20U;  ///< bytes of a request body; more is answered 413
  std::uint64_t max_response =
      1ULL << 30U;  ///< bytes of an answer's body; at more it breaks off, or is a 502
  Network network = Network::outbound;
  network::AllowList network_allow{};  ///< with `outbound`: what it reaches beyond the public internet
  std::map<std::string, std::string> env;
  std::vector<SecretUse> secrets;
  std::vector<std::string> datasets;
  std::vector<std::string> calls;  ///< functions it may call that are not for everyone: "name", "prefix-*"
  std::vector<std::string> publishes;  ///< topics it may publish to: "name", "prefix.*"
  std::string upstream{};              ///< (Runtime::upstream) URL that requests go to
  std::vector<std::string> wrap;       ///< functions around it, the outermost first
  std::vector<std::string> routes;     ///< "GET /hello/*", "api.example.com/v1/:id"; see router/
  InvocationClass invocation_class = InvocationClass::interactive;
  std::string tenant{};  ///< whose bill it is on: [a-z0-9][a-z0-9-_]{0,62}; empty: nobody's
  Access access = Access::everyone;
  JwtConfig jwt{};
  std::optional<Rate> rate_limit{};  ///< of all calls together; unset: none
  bool eager = false;                ///< build the template at daemon start, not at first use
  std::vector<Trigger> on{};         ///< at most kMaxTriggers
  AsyncConfig async{};
};

/// What functions list by name, and are born with: when it changes, they have to be born again.
struct Listed {
  enum class Kind { secret, dataset };
  Kind kind;
  std::string name;
};
[[nodiscard]] inline bool lists(const FunctionConfig& config, const Listed& what) {
  return what.kind == Listed::Kind::secret
             ? std::ranges::find(config.secrets, what.name, &SecretUse::name) != config.secrets.end()
             : std::ranges::find(config.datasets, what.name) != config.datasets.end();
}

/// One immutable deployment. Shared as `std::shared_ptr<const Version>`; never changed after it is made.
struct Version {
  std::string function;      ///< [a-z0-9][a-z0-9-_]{0,62}
  std::uint32_t number = 0;  ///< 1, 2, 3, … per function, never used again
  std::string digest;        ///< sha256 (hex) of what was deployed, configuration included
  Runtime runtime = Runtime::node;
  std::filesystem::path root;  ///< folder with the code, read-only, content-addressed
  std::string entry;           ///< file that holds the handler, relative to root
  FunctionConfig config;
  std::vector<std::filesystem::path> layers{};  ///< folders of its dependencies, read-only, shared
  std::chrono::system_clock::time_point created;

  [[nodiscard]] std::string address() const { return function + "@" + std::to_string(number); }
};

using VersionPtr = std::shared_ptr<const Version>;

/// How requests to a function are spread over its versions. Weights are relative, not percentages.
struct Traffic {
  std::map<std::uint32_t, std::uint32_t> weights;  ///< version number → weight > 0; never empty
  /// "", "header:NAME" or "cookie:NAME": requests with the same value go to the same version.
  std::string sticky;
};

/// A function as the router sees it: everything that a request to it may reach.
struct Function {
  std::string name;
  Traffic traffic;
  std::map<std::uint32_t, VersionPtr> versions;  ///< all that are kept
  std::map<std::string, std::uint32_t> aliases;  ///< "stable" → 3
};

using FunctionPtr = std::shared_ptr<const Function>;

}  // namespace mayfly::registry
