#include "registry/build_exec.h"

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <optional>

#include "registry/error.h"
#include "registry/program_build.h"
#include "registry/source_store.h"

namespace mayfly::registry {
namespace {

namespace fs = std::filesystem;

/// Programs that are kept, so that the same source is not built twice.
constexpr std::size_t kKept = 32;
/// Below the root: where no source of anybody's is.
constexpr const char* kFolder = ".mayfly-program";

/// A copy of a program that appears at once as a whole, whoever else makes the same one.
Result<void> copy_program(const fs::path& from, const fs::path& to) {
  static std::atomic<unsigned> number;
  std::error_code error;
  fs::create_directories(to.parent_path(), error);
  const auto part =
      to.string() + ".part-" + std::to_string(::getpid()) + "-" + std::to_string(number.fetch_add(1));
  fs::copy_file(from, part, fs::copy_options::overwrite_existing, error);
  if (!error) fs::permissions(part, fs::perms(0755), error);
  if (!error) fs::rename(part, to, error);
  if (error) return fail_errno("copy the program", error.value());
  return {};
}

/// Names of kept files have the program's name after the digest: "<sha256>-<name>".
std::optional<BuiltProgram> find_kept(const fs::path& folder, const std::string& digest) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const auto name = entry.path().filename().string();
    if (!name.starts_with(digest + "-") || name.contains(".part-")) continue;
    fs::last_write_time(entry.path(), fs::file_time_type::clock::now(), ignored);
    return BuiltProgram{entry.path(), name.substr(digest.size() + 1)};
  }
  return std::nullopt;
}

Result<BuiltProgram> build_or_reuse(const ProgramBuild& build, bool go) {
  const auto kept = build.caches / "programs";
  const auto source = digest_of(build.context.root);
  if (!source) return std::unexpected(source.error());
  const auto digest = digest_of_text(*source + build.context.built.entry);
  if (auto found = find_kept(kept, digest)) return *found;
  auto built = go ? build_go(build) : build_cargo(build);
  if (!built) return built;
  if (auto copied = copy_program(built->file, kept / (digest + "-" + built->name)); !copied)
    return propagate(copied);
  keep_newest(kept, kKept);
  return built;
}

}  // namespace

Result<void> build_exec(BuildContext& context) {
  const fs::path entry(context.built.entry);
  const bool go = entry.filename() == "go.mod";
  if (!go && entry.filename() != "Cargo.toml") return {};
  if (context.options.caches.empty())
    return fail(RegistryErrc::build_failed, "no folder is set in which programs can be built");
  const ProgramBuild build{context, (context.root / entry).parent_path(), context.options.caches};
  const bool lambda = go ? go_uses_lambda(build.folder) : cargo_uses_lambda(build.folder);
  auto program = build_or_reuse(build, go);
  if (!program) return propagate(program);
  const auto place = fs::path(kFolder) / (lambda ? "bootstrap" : program->name);
  if (auto copied = copy_program(program->file, context.root / place); !copied) return copied;
  std::error_code ignored;
  fs::remove_all(build.folder / ".mayfly-go", ignored);
  fs::remove_all(build.folder / "target", ignored);
  context.built.entry = place.string();
  return {};
}

}  // namespace mayfly::registry
