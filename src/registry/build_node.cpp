#include <algorithm>
#include <fstream>
#include <iterator>

#include "base/regular_file.h"
#include "registry/build_step.h"
#include "registry/bundle.h"
#include "registry/dependencies.h"
#include "registry/entry.h"
#include "registry/files.h"
#include "registry/module_syntax.h"

namespace mayfly::registry {
namespace {

/// Only .js files are ambiguous, but siblings of an .mjs entry may be .js as well.
Result<void> declare_module_kind(const std::filesystem::path& root, const std::string& entry) {
  if (has_package_json(root, entry)) return {};
  auto source = read_regular_file(root / entry);
  if (!source) return propagate(source);
  const bool module = entry.ends_with(".mjs") || (!entry.ends_with(".cjs") && has_module_syntax(*source));
  return write_file(root / "package.json", module ? "{\"type\":\"module\"}\n" : "{\"type\":\"commonjs\"}\n");
}

}  // namespace

Result<void> build_node(BuildContext& context) {
  auto& built = context.built;
  if (auto installed = install_dependencies(context); !installed) return installed;
  if (needs_bundle(built.entry)) {
    BundleOptions options;
    for (const auto& layer : built.layers) options.layers.push_back(context.layers.path(layer.digest()));
    options.hidden = context.layers.data();
    options.memory = context.options.build_memory;
    options.min_free = context.options.min_free;
    options.stop = context.options.stop;
    auto bundled = bundle(context.options.esbuild, context.root, built.entry, options);
    if (!bundled) return propagate(bundled);
    built.entry = std::move(bundled->entry);
    std::ranges::move(bundled->warnings, std::back_inserter(built.warnings));
  }
  if (auto settled = settle_links(context); !settled) return settled;
  return declare_module_kind(context.root, built.entry);
}

}  // namespace mayfly::registry
