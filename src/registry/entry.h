// Where the handler is: which file of a folder runs, and on which runtime.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "registry/function.h"

namespace mayfly::registry {

/// The runtime that runs a file of this name; nothing if none here does.
[[nodiscard]] std::optional<Runtime> runtime_of(std::string_view file_name);

/// The names of files that some runtime here runs, for messages: ".js .mjs …".
[[nodiscard]] std::string known_extensions();

/// The file that holds the handler, relative to `root`. `source` (of mayfly.toml, may be empty) is the file
/// itself or the folder to look in. There: `main` of package.json if that file exists, index.*, src/index.*,
/// else the only file that a runtime could run. Errors: no_entry (detail `tried`), unsupported_source,
/// bad_config (package.json cannot be read).
[[nodiscard]] Result<std::string> find_entry(const std::filesystem::path& root, const std::string& source);

/// Whether a package.json between the entry and `root` exists: Node then knows by it what .js files are.
[[nodiscard]] bool has_package_json(const std::filesystem::path& root, const std::string& entry);

}  // namespace mayfly::registry
