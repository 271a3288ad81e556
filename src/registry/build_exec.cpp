#include "registry/build_exec.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/guarded_folder.h"
#include "base/regular_file.h"
#include "base/text.h"
#include "registry/dependencies.h"
#include "registry/error.h"
#include "registry/files.h"
#include "registry/json_text.h"
#include "registry/program_build.h"
#include "registry/source_store.h"

namespace mayfly::registry {
namespace {

namespace fs = std::filesystem;

/// Programs that are kept, so that the same source is not built twice.
constexpr std::size_t kKept = 32;
/// Below the root: where no source of anybody's is.
constexpr const char* kFolder = ".mayfly-program";

/// The program is the daemon's from here on, whatever else the build has put in its place.
Result<Fd> open_program(const BuiltProgram& program, const LayerLimits& limits) {
  const auto folder = GuardedFolder::open(program.folder);
  if (!folder) return left_by_build(folder.error());
  auto file = folder->open_file(program.file);
  if (!file) return left_by_build(file.error());
  struct stat status{};
  if (::fstat(file->get(), &status) != 0) return fail_errno("stat the program");
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size <= limits.bytes) return file;
  auto large = fail(RegistryErrc::too_large, "the program is too large: " + format_size(size) +
                                                 "; the limit is " + format_size(limits.bytes));
  large.error().with("limit", format_size(limits.bytes)).with("size", format_size(size));
  return large;
}

/// A copy below `folder` that appears at once as a whole, whoever else makes the same one.
Result<void> keep_program(const Fd& program, const fs::path& folder, const std::string& name) {
  static std::atomic<unsigned> number;
  if (auto made = make_folder(folder); !made) return made;
  const auto guarded = GuardedFolder::open(folder);
  if (!guarded) return std::unexpected(guarded.error());
  const auto part = name + ".part-" + std::to_string(::getpid()) + "-" + std::to_string(number.fetch_add(1));
  if (auto copied = guarded->copy(program, part, 0755); !copied) return copied;
  std::error_code error;
  fs::rename(folder / part, folder / name, error);
  if (error) return fail_errno("keep the program", error.value());
  return {};
}

/// Names of kept files have the program's name after the digest: "<sha256>-<name>".
std::optional<BuiltProgram> find_kept(const fs::path& folder, const std::string& digest) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const auto name = entry.path().filename().string();
    if (!name.starts_with(digest + "-") || name.contains(".part-")) continue;
    fs::last_write_time(entry.path(), fs::file_time_type::clock::now(), ignored);
    return BuiltProgram{folder, name, name.substr(digest.size() + 1)};
  }
  return std::nullopt;
}

/// All that a program depends on. What Cargo's build scripts have left in the function's own folder is one of
/// those things, so no function gets another one's program.
Result<std::string> key_of(const ProgramBuild& build, const Toolchain& toolchain, bool go) {
  auto source = digest_of(build.context.root);
  if (!source) return source;
  return digest_of_text("program 2\n" + *source + "\n" + build.context.built.entry + "\n" +
                        build.context.built.config.program + "\n" + toolchain.identity + "\n" +
                        platform_identity() + "\n" + (go ? "" : build.context.function));
}

/// Whether packages lie in the folder, as pip has installed them there.
bool has_installed_packages(const fs::path& folder) {
  std::error_code ignored;
  return std::ranges::any_of(fs::directory_iterator(folder, ignored), [](const auto& entry) {
    return entry.path().extension() == ".dist-info" || entry.path().filename() == "vendor";
  });
}

bool has_dependencies(const fs::path& package_json) {
  const auto text = read_regular_file(package_json);
  const auto package = text ? parse_json(*text) : nlohmann::json();
  return package.is_object() && package.contains("dependencies") && !package["dependencies"].empty();
}

/// What an executable needs it has brought along: nobody knows which interpreter it starts.
void warn_of_manifests(BuildContext& context) {
  const auto& entry = context.built.entry;
  std::error_code ignored;
  auto file = nearest_file(context.root, entry, "requirements.txt");
  if (!file.empty() && !has_installed_packages(context.root / file.parent_path()))
    context.built.warnings.push_back(
        file.string() +
        " was not installed, because an executable is run as it is: bring the packages "
        "along ('pip install -t . -r requirements.txt')");
  file = nearest_file(context.root, entry, "package.json");
  if (!file.empty() && has_dependencies(context.root / file) &&
      !fs::exists(context.root / file.parent_path() / "node_modules", ignored))
    context.built.warnings.push_back(
        "the dependencies of " + file.string() +
        " were not installed, because an executable is run as it is: bring node_modules "
        "along ('npm ci', 'mayfly deploy --vendored')");
}

struct OpenProgram {
  Fd file;
  std::string name;
};

Result<OpenProgram> build_or_reuse(const ProgramBuild& build, bool go) {
  const auto& limits = build.context.options.layer_limits;
  const auto kept = build.caches / "programs";
  const auto toolchain = go ? find_go() : find_cargo(build);
  if (!toolchain) return std::unexpected(toolchain.error());
  const auto key = key_of(build, *toolchain, go);
  if (!key) return std::unexpected(key.error());
  auto program = find_kept(kept, *key);
  if (!program) {
    const auto output = build.context.layers.stage();
    if (!output) return std::unexpected(output.error());
    auto built = go ? build_go(build, *toolchain, output->path()) : build_cargo(build, *toolchain);
    if (!built) return propagate(built);
    const auto file = open_program(*built, limits);
    if (!file) return std::unexpected(file.error());
    program = BuiltProgram{kept, *key + "-" + built->name, built->name};
    if (auto copied = keep_program(*file, kept, program->file); !copied) return propagate(copied);
    keep_newest(kept, kKept);
  }
  auto file = open_program(*program, limits);
  if (!file) return propagate(file);
  return OpenProgram{std::move(*file), program->name};
}

}  // namespace

Result<void> build_exec(BuildContext& context) {
  const fs::path entry(context.built.entry);
  const bool go = entry.filename() == "go.mod";
  if (!go && entry.filename() != "Cargo.toml") {
    warn_of_manifests(context);
    return {};
  }
  if (context.options.caches.empty())
    return fail(RegistryErrc::build_failed, "no folder is set in which programs can be built");
  const ProgramBuild build{context, (context.root / entry).parent_path(), context.options.caches};
  const bool lambda = go ? go_uses_lambda(build.folder) : cargo_uses_lambda(build.folder);
  auto program = build_or_reuse(build, go);
  if (!program) return propagate(program);
  const auto place = fs::path(kFolder) / (lambda ? "bootstrap" : program->name);
  const auto root = GuardedFolder::open(context.root);
  if (!root) return std::unexpected(root.error());
  if (auto copied = root->copy(program->file, place, 0755); !copied) return left_by_build(copied.error());
  if (auto removed = root->remove(entry.parent_path() / "target"); !removed)
    return left_by_build(removed.error());
  context.built.entry = place.string();
  return {};
}

}  // namespace mayfly::registry
