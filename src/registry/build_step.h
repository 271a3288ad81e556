// The steps of a build that differ by runtime. Each turns the staged source into what its runtime loads.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"
#include "registry/build.h"
#include "registry/deploy_request.h"

namespace mayfly::registry {

/// What a step works on. It runs on a build thread, and may change files below `root` and fields of `built`.
struct BuildContext {
  const std::filesystem::path& root;  ///< the staged source
  Built& built;                       ///< runtime, entry and config are set
  const std::string& function;        ///< its name
  const LayerStore& layers;
  const DeployOptions& options;
  const BuildOutput& output;  ///< takes what tools print, as it comes; may be empty
  std::string interpreter{};  ///< of Node or Python, found and checked; empty: `options` says none
};

/// Packages are installed, TypeScript and JSX bundled. Where no package.json says what .js files are, one is
/// written.
[[nodiscard]] Result<void> build_node(BuildContext& context);

}  // namespace mayfly::registry
