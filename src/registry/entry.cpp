#include "registry/entry.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "registry/error.h"

namespace mayfly::registry {
namespace {

namespace fs = std::filesystem;

/// In the order in which index.* is looked for.
constexpr std::array<std::string_view, 8> kNode{".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".tsx", ".jsx"};

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

/// What Node would take for `name`: the file itself, with an extension, or the index of a folder.
std::optional<fs::path> resolve(const fs::path& root, const fs::path& name) {
  if (runtime_of(name.native()) && is_file(root / name)) return name;
  for (const auto extension : kNode)
    if (auto with = name.native() + std::string(extension); is_file(root / with)) return with;
  for (const auto extension : kNode)
    if (auto index = name / ("index" + std::string(extension)); is_file(root / index)) return index;
  return std::nullopt;
}

/// `main` of package.json as a path relative to root; nothing if there is none or it leads nowhere.
Result<std::optional<fs::path>> main_of(const fs::path& root, const fs::path& folder) {
  const auto file = root / folder / "package.json";
  if (!is_file(file)) return std::nullopt;
  std::ifstream stream(file);
  const auto manifest = nlohmann::json::parse(stream, nullptr, false);
  if (!manifest.is_object()) {
    auto error = fail(RegistryErrc::bad_config, "package.json is not a JSON object");
    error.error().with("file", (folder / "package.json").lexically_normal().string());
    return error;
  }
  const auto main = manifest.find("main");
  if (main == manifest.end() || !main->is_string()) return std::nullopt;
  const auto path = (folder / main->get<std::string>()).lexically_normal();
  if (path.is_absolute() || path.native().starts_with("..")) return std::nullopt;
  return resolve(root, path);
}

/// The only file directly in the folder that could be run; tests and type declarations are none.
std::optional<fs::path> only_file(const fs::path& root, const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(root / folder, error)) {
    const auto name = entry.path().filename().string();
    if (!entry.is_regular_file() || !runtime_of(name)) continue;
    if (name.starts_with('.') || name.contains(".d.") || name.contains(".test.") || name.contains(".config."))
      continue;
    found.push_back(folder / name);
  }
  if (found.size() != 1) return std::nullopt;
  return found.front();
}

Result<std::string> search(const fs::path& root, const fs::path& folder) {
  auto main = main_of(root, folder);
  if (!main) return propagate(main);
  if (*main) return (*main)->lexically_normal().string();
  for (const auto& name : {folder / "index", folder / "src/index"})
    if (const auto found = resolve(root, name)) return found->lexically_normal().string();
  if (const auto only = only_file(root, folder)) return only->lexically_normal().string();
  auto error =
      fail(RegistryErrc::no_entry,
           "no file to run was found: name it in mayfly.toml (source), in package.json (main), or call it "
           "index.js");
  error.error().with(
      "tried", "package.json main, index.*, src/index.*, a single file with one of " + known_extensions());
  return error;
}

}  // namespace

std::optional<Runtime> runtime_of(std::string_view file_name) {
  const auto ends = [&](std::string_view extension) {
    return file_name.size() > extension.size() && file_name.ends_with(extension);
  };
  if (std::ranges::any_of(kNode, ends)) return Runtime::node;
  return std::nullopt;
}

std::string known_extensions() {
  std::string text;
  for (const auto extension : kNode) text += (text.empty() ? "" : " ") + std::string(extension);
  return text;
}

Result<std::string> find_entry(const fs::path& root, const std::string& source) {
  if (source.empty()) return search(root, "");
  std::error_code ignored;
  if (fs::is_directory(root / source, ignored)) return search(root, source);
  if (!is_file(root / source)) {
    auto error = fail(RegistryErrc::no_entry, "the source '" + source + "' of mayfly.toml is not there");
    error.error().with("tried", source);
    return error;
  }
  if (runtime_of(source)) return source;
  return fail(RegistryErrc::unsupported_source,
              "'" + source + "' is nothing that can be run; known are " + known_extensions());
}

bool has_package_json(const fs::path& root, const std::string& entry) {
  for (auto folder = fs::path(entry).parent_path();; folder = folder.parent_path()) {
    if (is_file(root / folder / "package.json")) return true;
    if (folder.empty()) return false;
  }
}

}  // namespace mayfly::registry
