// Where the handler is: which file of a folder runs, and on which runtime.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"
#include "registry/function.h"

namespace mayfly::registry {

struct Entry {
  Runtime runtime = Runtime::node;
  /// Relative to the root. For a folder of C or C++ sources without a CMakeLists.txt: that folder.
  std::string file;
};

/// `source` (of mayfly.toml, may be empty) is the file itself or the folder to look in. There, the first of:
/// bootstrap, go.mod, Cargo.toml, CMakeLists.txt; `main` of package.json, index.*, src/index.*, or a Python
/// file of a usual name (main.py, app.py, …); the only file that a runtime could run; nothing but C or C++
/// sources. Errors: no_entry (detail `tried`; also when two could be meant), unsupported_source, bad_config
/// (package.json cannot be read).
[[nodiscard]] Result<Entry> find_entry(const std::filesystem::path& root, const std::string& source);

/// Lambda's "module.function": if `handler` is so and the file of that module is there, the file, and the
/// handler becomes the function's name alone. Empty otherwise.
[[nodiscard]] std::string take_module(const std::filesystem::path& root, std::string& handler);

/// Whether a package.json between the entry and `root` exists: Node then knows by it what .js files are.
[[nodiscard]] bool has_package_json(const std::filesystem::path& root, const std::string& entry);

}  // namespace mayfly::registry
