// What a path that is to be deployed holds: one file, an archive, or a folder with its functions.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace mayfly::cli {

struct Project {
  std::filesystem::path path{};
  bool folder = false;
  std::vector<std::string> functions{};  ///< what is to be deployed: functions, then upstreams
  std::vector<std::string> sources{};    ///< of a folder: relative paths that its configuration names
  /// [pipelines.NAME] as JSON, by name; those of a folder whose functions are all deployed.
  std::vector<std::pair<std::string, std::string>> pipelines{};
};

/// Finds what to deploy. A file is called after itself ("hello.js": hello). A folder deploys every
/// [functions.NAME] and [upstreams.NAME] of its mayfly.toml, or only `name`; without a mayfly.toml it is one
/// function, called after the "name" in package.json or else after the folder. One with pipelines alone has
/// no functions. `name` always wins.
[[nodiscard]] Result<Project> find_project(const std::filesystem::path& path, const std::string& name);

/// The text as a function's name: lower case, '-' for what a name may not hold; "" if nothing is left.
[[nodiscard]] std::string function_name(std::string_view text);

}  // namespace mayfly::cli
