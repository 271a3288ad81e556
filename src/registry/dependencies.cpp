#include "registry/dependencies.h"

#include "registry/error.h"

namespace mayfly::registry {

namespace fs = std::filesystem;

Result<void> install_dependencies(BuildContext& context) {
  switch (context.built.runtime) {
    case Runtime::node:
      return install_node_packages(context);
    case Runtime::python:
      return install_python_packages(context);
    case Runtime::native:
    case Runtime::exec:
    case Runtime::upstream:
      return {};
  }
  return {};
}

Result<void> settle_links(BuildContext& context) {
  for (const auto& link : context.built.links) {
    const auto path = context.root / link;
    std::error_code error;
    if (!fs::is_symlink(path, error)) continue;  // the bundle needed nothing of it
    const auto target = fs::read_symlink(path, error);
    const auto place = context.layers.data() / "sources" / "digest" / link;  // all addresses are as deep
    fs::remove(path, error);
    fs::create_symlink(target.lexically_relative(place.parent_path()), path, error);
    if (error) return fail_errno("link " + link.string(), error.value());
  }
  return {};
}

fs::path nearest_file(const fs::path& root, const std::string& entry, const std::string& name) {
  std::error_code ignored;
  for (auto folder = fs::path(entry).parent_path();; folder = folder.parent_path()) {
    if (fs::is_regular_file(root / folder / name, ignored)) return folder / name;
    if (folder.empty()) return {};
  }
}

}  // namespace mayfly::registry
