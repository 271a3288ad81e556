// What `mayfly serve` was told. The daemon takes it from here.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace mayfly::cli {

/// Both or none: without them a plane speaks plain HTTP.
struct TlsFiles {
  std::filesystem::path certificate{};  ///< PEM, with those that lead to the root
  std::filesystem::path key{};
};

/// In the data folder: the URL of the admin plane, written when the daemon starts.
inline constexpr std::string_view kAddressFile = "admin-url";

struct ServeOptions {
  std::filesystem::path data{};              ///< the data folder, absolute; made if it is not there
  std::string listen = "127.0.0.1:8080";     ///< data plane, ADDRESS:PORT; port 0: any
  std::string admin = "127.0.0.1:8081";      ///< admin plane, likewise
  std::vector<std::string> admin_names{};    ///< lower case; NAME or NAME:PORT
  TlsFiles tls{};                            ///< of the data plane
  TlsFiles admin_tls{};                      ///< of the admin plane
  unsigned threads = 0;                      ///< of the data plane; 0: one for each processor
  std::uint64_t dataset_budget = 0;          ///< bytes for datasets; 0: half of what is there
  std::uint64_t memory_budget = 0;           ///< bytes for instances and templates; 0: half of what is there
  std::vector<std::string> require{};        ///< layers of the sandbox without which not to start
  bool sandbox = true;                       ///< false: functions run in none, for comparisons
  std::string node{};                        ///< Node's executable; empty: `node` in PATH
  std::string python{};                      ///< Python's; empty: the first in PATH that is new enough
  std::string esbuild{};                     ///< esbuild's executable; empty: look for it
  std::uint64_t build_memory = 2ULL << 30U;  ///< bytes, of all processes of one tool of a build
  std::chrono::milliseconds build_limit{300'000};    ///< of npm, pip and the like, in a deploy
  std::chrono::milliseconds drain{30'000};           ///< how long requests may go on after SIGTERM
  std::size_t max_connections = 10'000;              ///< of the data plane; one more is closed
  std::uint32_t max_header = 32U << 10U;             ///< bytes of a request's header
  std::chrono::milliseconds header_timeout{10'000};  ///< from a request's first byte to its header's end
  std::chrono::milliseconds idle_timeout{75'000};    ///< between two requests, or taking nothing of an answer
  bool cgroups = true;                               ///< use the host's control groups
  bool metering = true;                              ///< keep what functions use
  std::filesystem::path prices{};                    ///< of a price sheet; empty: the default one
  std::vector<std::string> outbound_allow{};         ///< addresses that the daemon asks besides public ones
  std::string log_level = "info";                    ///< debug, info, warn or error
};

/// Runs the daemon until it is told to end; gives the exit code of the process.
using ServeFunction = std::function<int(const ServeOptions&)>;

}  // namespace mayfly::cli
