#include "registry/native_packages.h"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "base/regular_file.h"
#include "registry/json_text.h"

namespace mayfly::registry {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::array<std::string_view, 5> kLoaders{"bindings", "node-gyp-build", "node-pre-gyp",
                                                   "@mapbox/node-pre-gyp", "prebuild-install"};

struct Package {
  bool native = false;
  std::vector<std::string> dependencies;
};

Package read_package(const fs::path& folder) {
  Package package;
  std::error_code ignored;
  package.native = fs::exists(folder / "binding.gyp", ignored);
  const auto text = read_regular_file(folder / "package.json");
  const auto manifest = text ? parse_json(*text) : json();
  if (!manifest.is_object()) return package;
  for (const char* key : {"gypfile", "binary", "napi"})
    if (manifest.contains(key)) package.native = true;
  if (const auto main = manifest.find("main"); main != manifest.end() && main->is_string())
    if (main->get_ref<const std::string&>().ends_with(".node")) package.native = true;
  for (const char* key : {"dependencies", "optionalDependencies"}) {
    const auto dependencies = manifest.find(key);
    if (dependencies == manifest.end() || !dependencies->is_object()) continue;
    for (const auto& [name, range] : dependencies->items()) package.dependencies.push_back(name);
  }
  return package;
}

void read_folder(const fs::path& folder, const std::string& scope, std::map<std::string, Package>& packages) {
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const auto name = it->path().filename().string();
    if (name.starts_with('.') || !it->is_directory()) continue;
    if (scope.empty() && name.starts_with('@'))
      read_folder(it->path(), name + "/", packages);
    else
      packages[scope + name] = read_package(it->path());
  }
}

}  // namespace

std::vector<std::string> native_packages(const fs::path& node_modules) {
  std::map<std::string, Package> packages;
  read_folder(node_modules, "", packages);
  std::set<std::string> native;
  const auto is_loader = [](const std::string& name) {
    return std::ranges::find(kLoaders, name) != kLoaders.end();
  };
  // Not transitive: a package that only uses a native one is bundled, and its import of that one stays.
  for (const auto& [name, package] : packages)
    if (package.native || std::ranges::any_of(package.dependencies, is_loader)) native.insert(name);
  return {native.begin(), native.end()};
}

}  // namespace mayfly::registry
