#include "registry/node_manifest.h"

#include <algorithm>
#include <array>

#include "base/regular_file.h"
#include "registry/dependencies.h"
#include "registry/error.h"
#include "registry/json_text.h"
#include "registry/node_terms.h"

namespace mayfly::registry {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::array<const char*, 2> kLocks{"npm-shrinkwrap.json", "package-lock.json"};

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

Result<json> read_object(const fs::path& root, const fs::path& file) {
  auto text = read_regular_file(root / file);
  if (!text) return propagate(text);
  auto object = parse_json(*text);
  if (object.is_object()) return object;
  auto error = fail(RegistryErrc::bad_config, file.filename().string() + " is not a JSON object");
  error.error().with("file", file.string());
  return error;
}

bool has_any(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_object() && !found->empty();
}

/// The folder, of this one and those above it, for which `test` holds.
template <class Test>
std::optional<fs::path> upwards(fs::path folder, Test test) {
  for (;; folder = folder.parent_path()) {
    if (test(folder)) return folder;
    if (folder.empty()) return std::nullopt;
  }
}

/// What an installation depends on, and nothing that changes with every release.
json relevant(const json& package) {
  json result = json::object();
  for (const char* key :
       {"name", "dependencies", "devDependencies", "optionalDependencies", "peerDependencies",
        "peerDependenciesMeta", "overrides", "workspaces", "bundleDependencies", "bundledDependencies",
        "engines", "os", "cpu", "libc", "allowScripts"})
    if (const auto found = package.find(key); found != package.end()) result[key] = *found;
  return result;
}

/// A lock file of another tool, and what is to be done about it.
Result<void> refuse_other_locks(const fs::path& root, const fs::path& folder) {
  for (const char* name : {"yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb"}) {
    if (!is_file(root / folder / name)) continue;
    auto error = fail(RegistryErrc::build_failed,
                      std::string("dependencies are installed by npm, which does not read ") + name +
                          ": make a package-lock.json ('npm install --package-lock-only'), or deploy with "
                          "node_modules ('mayfly deploy --vendored')");
    error.error().with("file", (folder / name).string());
    return error;
  }
  return {};
}

class LocalPackages {
 public:
  explicit LocalPackages(NodeManifest& manifest) : manifest_(manifest) {}

  Result<void> find(const json& lock) {
    for (const char* key : {"dependencies", "optionalDependencies"})
      if (const auto specs = manifest_.package.find(key);
          specs != manifest_.package.end() && specs->is_object())
        for (const auto& [name, spec] : specs->items())
          if (spec.is_string())
            if (auto done = look_at(spec.get<std::string>()); !done) return done;
    const auto packages = lock.find("packages");
    if (packages == lock.end() || !packages->is_object()) return {};
    for (const auto& [path, package] : packages->items()) {
      if (!package.is_object()) continue;
      if (const auto from = package.find("resolved"); from != package.end() && from->is_string())
        if (auto done = look_at(from->get<std::string>()); !done) return done;
      if (!path.empty() && !("/" + path).contains("/node_modules/"))
        if (auto done = add(path); !done) return done;
    }
    return {};
  }

 private:
  Result<void> look_at(const std::string& spec) {
    for (const std::string_view begin : {"file:", "link:"})
      if (spec.starts_with(begin)) return add(spec.substr(begin.size()));
    return {};
  }

  Result<void> add(const std::string& path) {
    const auto inside = (manifest_.folder / path).lexically_normal();
    if (inside.is_absolute() || inside.native().starts_with("..")) {
      auto error = fail(RegistryErrc::build_failed,
                        "the package '" + path +
                            "' lies outside of what was deployed: deploy the folder that holds "
                            "both, and name the function's in mayfly.toml (source)");
      error.error().with("path", path);
      return error;
    }
    auto& local = manifest_.local;
    const auto place = std::ranges::lower_bound(local, inside);
    if (place == local.end() || *place != inside) local.insert(place, inside);
    return {};
  }

  NodeManifest& manifest_;
};

}  // namespace

Result<NodeManifest> read_node_manifest(const fs::path& root, const std::string& entry) {
  NodeManifest manifest;
  const auto file = nearest_file(root, entry, "package.json");
  if (file.empty()) return manifest;
  manifest.folder = file.parent_path();
  auto package = read_object(root, file);
  if (!package) return propagate(package);
  if (!has_any(*package, "dependencies") && !has_any(*package, "optionalDependencies")) return manifest;
  std::error_code ignored;
  if (upwards(manifest.folder,
              [&](const fs::path& f) { return fs::exists(root / f / "node_modules", ignored); }))
    return manifest;

  const auto locked = upwards(manifest.folder, [&](const fs::path& folder) {
    return is_file(root / folder / "package.json") &&
           std::ranges::any_of(kLocks, [&](const char* name) { return is_file(root / folder / name); });
  });
  if (locked && *locked != manifest.folder) {
    manifest.folder = *locked;
    package = read_object(root, manifest.folder / "package.json");
    if (!package) return propagate(package);
  }
  manifest.package = relevant(*package);
  json lock = json::object();
  if (locked) {
    manifest.lock_name =
        *std::ranges::find_if(kLocks, [&](auto name) { return is_file(root / *locked / name); });
    auto parsed = read_object(root, *locked / manifest.lock_name);
    if (!parsed) return propagate(parsed);
    lock = std::move(*parsed);
    auto text = read_regular_file(root / *locked / manifest.lock_name);
    if (!text) return propagate(text);
    manifest.lock = std::move(*text);
  } else if (auto refused = refuse_other_locks(root, manifest.folder); !refused) {
    return propagate(refused);
  }
  if (auto npmrc = read_regular_file(root / manifest.folder / ".npmrc")) manifest.npmrc = std::move(*npmrc);
  if (auto found = LocalPackages(manifest).find(lock); !found) return propagate(found);
  manifest.own_terms = own_terms(root, manifest, lock);
  return manifest;
}

}  // namespace mayfly::registry
