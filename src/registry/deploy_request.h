// What a deploy is asked to do, and within which bounds.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "registry/archive.h"
#include "registry/function.h"
#include "registry/layers.h"

namespace mayfly::sandbox {
class Cgroups;
}

namespace mayfly::registry {

/// Takes what the tools of a build print, as it comes. Called from a build thread.
using BuildOutput = std::function<void(std::string_view text)>;

struct DeployRequest {
  std::string name;                     ///< of the function
  std::string file_name;                ///< "hello.js", "site.tar.gz"; may be empty for an archive
  std::string body;                     ///< the raw source or the archive …
  std::filesystem::path body_file{};    ///< … or, if this is set, the file that holds it; stays the caller's
  std::vector<std::string> settings{};  ///< "key=value", as of [functions.NAME]; they win over mayfly.toml
  /// Leave the traffic as it is: the new version gets none until someone gives it some. Without it a
  /// deploy gives the new version all traffic, also when it had been split or rolled back by hand. A
  /// first deploy always serves.
  bool keep_traffic = false;
  std::string origin{};  ///< where it comes from, for people; "": not said
  BuildOutput output{};  ///< may be empty
};

struct DeployOptions {
  ArchiveLimits limits{};
  /// The program that runs functions of this runtime and configuration (empty for native and exec); an error
  /// says why there is none. May block, is called from build threads. Unset: nothing is asked.
  std::function<Result<std::string>(Runtime, const FunctionConfig&)> interpreter{};
  std::filesystem::path esbuild{};         ///< its executable; empty: TypeScript is refused with build_failed
  std::filesystem::path native_include{};  ///< the folder of mayfly.h
  std::chrono::milliseconds build_limit{300'000};  ///< of each tool that a build runs
  std::uint64_t min_free = 512ULL << 20U;          ///< bytes of the disks they write to that tools must leave
  std::uint64_t build_memory = 2ULL << 30U;        ///< bytes, of all processes of a tool together
  sandbox::Cgroups* groups =
      nullptr;                     ///< where builds are limited; outlives them; null: each process alone is
  LayerLimits layer_limits{};      ///< of what is installed or built for one function
  std::stop_token stop{};          ///< ends the tools that run
  std::size_t threads = 8;         ///< for the steps that block; mostly they wait for tools
  std::filesystem::path caches{};  ///< what builds keep for the next; empty: programs cannot be built
};

}  // namespace mayfly::registry
