// A function's packages: installed from its lock file or requirements into a layer that versions share.
#pragma once

#include <filesystem>

#include "base/result.h"
#include "registry/build_step.h"

namespace mayfly::registry {

/// For Node and Python; nothing for others. What the upload brings along (node_modules, vendor) is left as it
/// is. Otherwise what package.json with its lock file, or requirements.txt (or pyproject.toml), asks for is a
/// layer: found if the same was installed before, and then no process is started, else installed by npm or
/// pip. `built.layers` gets it; for Node a link node_modules in `root` leads to it.
///
/// Errors: build_failed with the tool's own words (detail `output`), bad_config (a manifest that cannot be
/// read), too_large.
[[nodiscard]] Result<void> install_dependencies(BuildContext& context);

/// After the last step that reads through the links: makes them relative, as they must be when `root` has its
/// place below sources/, so that the data folder can be moved.
[[nodiscard]] Result<void> settle_links(BuildContext& context);

/// The two of them; here for their tests.
[[nodiscard]] Result<void> install_node_packages(BuildContext& context);
[[nodiscard]] Result<void> install_python_packages(BuildContext& context);

/// The nearest of these files from the entry's folder up to the root; empty if there is none. Relative to
/// root.
[[nodiscard]] std::filesystem::path nearest_file(const std::filesystem::path& root, const std::string& entry,
                                                 const std::string& name);

}  // namespace mayfly::registry
