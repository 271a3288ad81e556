// What package.json and its lock file say about packages, as far as an installation depends on it.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"

namespace mayfly::registry {

struct NodeManifest {
  std::filesystem::path folder;  ///< relative to the root; where npm is to run
  nlohmann::json package;        ///< package.json without what concerns no installation (scripts, version, …)
  std::string lock_name;         ///< package-lock.json or npm-shrinkwrap.json; empty: there is none
  std::string lock;              ///< its text
  std::string npmrc;             ///< of the project
  /// Packages that are not fetched: folders and archives of the upload, relative to the root, sorted.
  std::vector<std::filesystem::path> local{};
  std::string own_terms{};  ///< why npm gets nothing of the server (node_terms.h); empty: it does
};

/// Reads the manifest that counts for an entry: the nearest package.json, or, if only one above it has a lock
/// file (a workspace), that one. A manifest without dependencies, or one beside or above which node_modules
/// was uploaded, is none: `package` is null then.
///
/// Errors: bad_config (not JSON), build_failed (a lock file of yarn, pnpm or bun; a package outside of the
/// upload).
[[nodiscard]] Result<NodeManifest> read_node_manifest(const std::filesystem::path& root,
                                                      const std::string& entry);

}  // namespace mayfly::registry
