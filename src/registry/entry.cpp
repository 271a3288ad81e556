#include "registry/entry.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "base/regular_file.h"
#include "registry/error.h"
#include "registry/json_text.h"
#include "registry/source_kind.h"

namespace mayfly::registry {
namespace {

namespace fs = std::filesystem;

/// In the order in which index.* is looked for.
constexpr std::array<std::string_view, 8> kNode{".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".tsx", ".jsx"};
/// Each stands for the whole folder that it lies in.
constexpr std::array<const char*, 4> kProjects{"bootstrap", "go.mod", "Cargo.toml", "CMakeLists.txt"};
constexpr std::array<const char*, 8> kPython{"main.py",     "app.py",   "handler.py", "lambda_function.py",
                                             "function.py", "index.py", "asgi.py",    "wsgi.py"};

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

/// What Node would take for `name`: the file itself, with an extension, or the index of a folder.
std::optional<fs::path> resolve(const fs::path& root, const fs::path& name) {
  if (runtime_of(name.native()) == Runtime::node && is_file(root / name)) return name;
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
  auto text = read_regular_file(file);
  if (!text) return propagate(text);
  const auto manifest = parse_json(*text);
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

Result<std::optional<fs::path>> node_entry(const fs::path& root, const fs::path& folder) {
  auto main = main_of(root, folder);
  if (!main || *main) return main;
  for (const auto& name : {folder / "index", folder / "src/index"})
    if (auto found = resolve(root, name)) return found;
  return std::nullopt;
}

std::optional<fs::path> first_of(const fs::path& root, const fs::path& folder, const auto& names) {
  for (const char* name : names)
    if (is_file(root / folder / name)) return folder / name;
  return std::nullopt;
}

/// The application of a Django project: its wsgi.py, in the package whose settings manage.py names.
std::optional<fs::path> django_entry(const fs::path& root) {
  if (!is_file(root / "manage.py")) return std::nullopt;
  const auto text = read_regular_file(root / "manage.py");
  const auto name = text ? text->find("DJANGO_SETTINGS_MODULE") : std::string::npos;
  if (name == std::string::npos) return std::nullopt;
  const auto comma = text->find(',', name);
  const auto begin = comma == std::string::npos ? comma : text->find_first_of("'\"", comma);
  if (begin == std::string::npos) return std::nullopt;
  const auto package = text->substr(begin + 1, text->find_first_of(".'\"", begin + 1) - begin - 1);
  auto file = fs::path(package) / "wsgi.py";
  if (package.contains('/') || !is_file(root / file)) return std::nullopt;
  return file;
}

/// The files directly in the folder that could be run; tests, type declarations and what installs or manages
/// a project are none.
std::vector<fs::path> runnable_files(const fs::path& root, const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(root / folder, error)) {
    const auto name = entry.path().filename().string();
    if (!entry.is_regular_file() || !runtime_of_file(entry.path())) continue;
    if (name.starts_with('.') || name.contains(".d.") || name.contains(".test.") ||
        name.contains(".config.") || name == "setup.py" || name == "manage.py")
      continue;
    found.push_back(folder / name);
  }
  return found;
}

Entry entry_at(const fs::path& root, const fs::path& file) {
  return {runtime_of_file(root / file).value_or(Runtime::node), file.lexically_normal().string()};
}

/// The first folder below that has sources of C or C++; empty if there is none.
fs::path native_folder(const fs::path& root, const fs::path& folder) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(root / folder, error))
    if (entry.is_directory() && !entry.is_symlink() && !entry.path().filename().native().starts_with('.'))
      for (const auto& file : fs::directory_iterator(entry.path(), error))
        if (runtime_of(file.path().native()) == Runtime::native) return folder / entry.path().filename();
  return {};
}

/// Why there is nothing to run in a folder.
std::string nothing_found(const fs::path& root, const fs::path& folder, std::vector<fs::path> files) {
  std::ranges::sort(files);
  std::string names;
  for (std::size_t i = 0; i < files.size() && i < 5; ++i) names += (i > 0 ? ", " : "") + files[i].string();
  if (files.size() > 5) names += ", …";
  if (!files.empty())
    return "which of these files is to be run? " + names + ": name one in mayfly.toml (source = \"" +
           files.front().string() + "\")";
  if (const auto native = native_folder(root, folder); !native.empty())
    return "no file to run was found. Of C and C++ only the sources of one folder are compiled, and here "
           "they lie in " +
           native.string() + ": write a CMakeLists.txt, or name that folder in mayfly.toml (source = \"" +
           native.string() + "\")";
  std::string begun =
      "no file to run was found: name it in mayfly.toml (source), in package.json (main), or call "
      "it index.js or main.py";
  if (is_file(root / folder / "manage.py"))
    return begun + ". A Django project's is the wsgi.py or asgi.py beside its settings, not manage.py";
  if (is_file(root / folder / "setup.py")) return begun + ". setup.py is none: it installs a package";
  return begun;
}

std::unexpected<Error> no_entry(std::string message) {
  auto error = fail(RegistryErrc::no_entry, std::move(message));
  error.error().with(
      "tried",
      "bootstrap, go.mod, Cargo.toml, CMakeLists.txt, package.json main, index.*, src/index.*, "
      "main.py, app.py and the like, a single file of: " +
          known_sources());
  return error;
}

Result<Entry> search(const fs::path& root, const fs::path& folder) {
  if (const auto project = first_of(root, folder, kProjects)) return entry_at(root, *project);
  auto node = node_entry(root, folder);
  if (!node) return propagate(node);
  const auto python = first_of(root, folder, kPython);
  if (*node && python)
    return no_entry("both " + (*node)->lexically_normal().string() + " and " +
                    python->lexically_normal().string() +
                    " could be meant: name one in mayfly.toml (source)");
  if (*node) return entry_at(root, **node);
  if (python) return entry_at(root, *python);
  if (const auto django = folder.empty() ? django_entry(root) : std::nullopt) return entry_at(root, *django);
  const auto files = runnable_files(root, folder);
  if (files.size() == 1) return entry_at(root, files.front());
  const auto is_native = [](const fs::path& file) { return runtime_of(file.native()) == Runtime::native; };
  if (!files.empty() && std::ranges::all_of(files, is_native))
    return Entry{Runtime::native, folder.empty() ? "." : folder.lexically_normal().string()};
  return no_entry(nothing_found(root, folder, files));
}

}  // namespace

Result<Entry> find_entry(const fs::path& root, const std::string& source) {
  if (source.empty()) return search(root, "");
  std::error_code ignored;
  if (fs::is_directory(root / source, ignored)) return search(root, source);
  if (!is_file(root / source)) {
    auto error = fail(RegistryErrc::no_entry, "the source '" + source + "' of mayfly.toml is not there");
    error.error().with("tried", source);
    return error;
  }
  if (runtime_of_file(root / source)) return entry_at(root, source);
  return fail(RegistryErrc::unsupported_source,
              "'" + source + "' is nothing that can be run; known are " + known_sources());
}

std::string take_module(const fs::path& root, std::string& handler) {
  const auto dot = handler.rfind('.');
  if (dot == std::string::npos || dot == 0 || dot + 1 == handler.size()) return {};
  auto module = handler.substr(0, dot);
  const auto path = fs::path(module).lexically_normal();
  if (path.is_absolute() || path.native().starts_with("..")) return {};
  std::ranges::replace(module, '.', '/');  // Python's packages; Node's modules have slashes already
  auto file = module + ".py";
  if (!is_file(root / file)) {
    const auto found = resolve(root, path);
    if (!found) return {};
    file = found->string();
  }
  handler.erase(0, dot + 1);
  return file;
}

bool has_package_json(const fs::path& root, const std::string& entry) {
  for (auto folder = fs::path(entry).parent_path();; folder = folder.parent_path()) {
    if (is_file(root / folder / "package.json")) return true;
    if (folder.empty()) return false;
  }
}

}  // namespace mayfly::registry
