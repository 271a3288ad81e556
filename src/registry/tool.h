// Running the tools that fetch and build dependencies: what they have in common.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "registry/build_step.h"

namespace mayfly::registry {

/// One run of a tool, confined (sandbox/confined.h). The data folder is hidden but for what is named here.
struct ToolRun {
  std::string name;               ///< for people: "npm", "pip"
  std::vector<std::string> argv;  ///< argv[0] is an absolute path
  std::filesystem::path folder;   ///< where it starts
  std::vector<std::string> environment{};
  std::vector<std::filesystem::path> writable{};
  std::vector<std::filesystem::path> caches{};   ///< only for tools that run no code of what they fetch
  std::vector<std::filesystem::path> visible{};  ///< below the data folder, or in somebody's home
  bool network = false;
  int limits = 1;  ///< how many times DeployOptions::build_limit it may take
};

struct ToolResult {
  bool success = false;
  std::string tail;    ///< of what it printed
  std::string status;  ///< how it ended, for people
};

/// Runs it; what it prints goes to the context's output. What the host does not allow to confine becomes a
/// warning of the deploy, once. Error: it cannot be started, or took longer than it may
/// (build_failed, details `limit` and `output`).
[[nodiscard]] Result<ToolResult> run_tool(BuildContext& context, const ToolRun& run);

/// build_failed with the tool's own words: `lines_with` picks what goes into the message, the detail `output`
/// has the end of all it said.
[[nodiscard]] std::unexpected<Error> tool_failed(const std::string& what, const ToolResult& result,
                                                 std::string_view lines_with);

/// The folder where a tool keeps what it has fetched, for all deploys.
[[nodiscard]] std::filesystem::path downloads(const BuildContext& context, const std::string& tool);

/// Variables of the daemon that say how the network is reached: proxies and certificates. Never its secrets.
[[nodiscard]] std::vector<std::string> network_environment();
/// Variables of the daemon whose names begin so, in either case, as tools take their settings.
[[nodiscard]] std::vector<std::string> variables_with(std::string_view prefix);

/// What must be visible for a program to run: nothing, or, if it lies in a home, the topmost folder there
/// that holds it (~/.pyenv, ~/.nvm).
[[nodiscard]] std::vector<std::filesystem::path> toolchain_of(const std::filesystem::path& program);

/// What changes when a program is exchanged for another of the same path. Starts nothing.
[[nodiscard]] std::string identity_of(const std::filesystem::path& program);
/// The same for a compiler of C or C++ with the programs behind it, which are exchanged by themselves (cc1,
/// cc1plus, as, ld). Starts it when it is asked about for the first time. Empty for an empty path. Any
/// thread.
[[nodiscard]] std::string compiler_identity(const std::filesystem::path& compiler);
/// Processor and C library: what native code of a package depends on.
[[nodiscard]] std::string platform_identity();

/// The absolute path of a program in `first` or in the daemon's PATH; empty if there is none.
[[nodiscard]] std::filesystem::path find_program(const std::filesystem::path& first, const std::string& name);

}  // namespace mayfly::registry
