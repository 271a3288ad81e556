// Which npm packages cannot be part of a bundle.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace mayfly::registry {

/// Names of the packages directly in `node_modules` that bring native code: they look for it beside their own
/// files, so they work only from where they are. Recognised by a binding.gyp, by `gypfile`, `binary` or
/// `napi` in their package.json, by a `main` that ends with .node, or by depending on a loader of such
/// code (bindings, node-gyp-build, …). Sorted.
[[nodiscard]] std::vector<std::string> native_packages(const std::filesystem::path& node_modules);

}  // namespace mayfly::registry
