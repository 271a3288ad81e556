#include <fcntl.h>
#include <sys/file.h>
#include <toml++/toml.h>

#include <algorithm>
#include <sstream>
#include <vector>

#include "base/fd.h"
#include "registry/error.h"
#include "registry/program_build.h"

namespace mayfly::registry {
namespace {

namespace fs = std::filesystem;

/// Functions whose downloads and objects are kept.
constexpr std::size_t kKept = 32;

Result<toml::table> read_manifest(const fs::path& file) {
  try {
    return toml::parse_file(file.string());
  } catch (const toml::parse_error& error) {
    auto bad = fail(RegistryErrc::bad_config, "Cargo.toml: " + std::string(error.description()));
    bad.error().with("file", "Cargo.toml").with("line", std::to_string(error.source().begin.line));
    return bad;
  }
}

/// A toolchain's own programs, not the shims of rustup: those write into a home, and choose by what lies
/// there.
struct Toolchain {
  fs::path cargo;
  fs::path folder;  ///< what must be visible; empty for one of the system
};

Toolchain find_toolchain() {
  const auto cargo = find_toolchain_program("cargo", {home() / ".cargo/bin", "/usr/local/cargo/bin"});
  if (cargo.empty() || fs::canonical(cargo).filename() != "rustup") return {cargo, {}};
  const char* set = std::getenv("RUSTUP_HOME");
  const fs::path rustup = set != nullptr ? fs::path(set) : home() / ".rustup";
  const char* chosen = std::getenv("RUSTUP_TOOLCHAIN");
  std::string name = chosen != nullptr ? chosen : "";
  if (const auto settings = read_manifest(rustup / "settings.toml"); settings && name.empty())
    name = settings->at_path("default_toolchain").value_or(std::string());
  const auto folder = rustup / "toolchains" / name;
  if (name.empty() || !fs::exists(folder / "bin/cargo")) return {};
  return {folder / "bin/cargo", fs::canonical(folder)};
}

/// The names of the package's binaries, as Cargo finds them.
std::vector<std::string> binaries(const toml::table& manifest, const fs::path& folder) {
  std::vector<std::string> names;
  if (const auto* list = manifest["bin"].as_array())
    for (const auto& one : *list)
      if (const auto* table = one.as_table())
        if (const auto name = (*table)["name"].value<std::string>()) names.push_back(*name);
  const auto add = [&](const std::string& name) {
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  };
  const auto package = manifest["package"]["name"].value_or(std::string());
  if (names.empty() && fs::exists(folder / "src/main.rs")) add(package);
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder / "src/bin", none))
    if (entry.path().extension() == ".rs" || fs::exists(entry.path() / "main.rs")) add(entry.path().stem());
  return names;
}

Result<std::string> choose_binary(const toml::table& manifest, const fs::path& folder) {
  auto package = manifest["package"]["name"].value_or(std::string());
  if (package.empty())
    return fail(RegistryErrc::no_entry,
                "Cargo.toml is that of a workspace: name the folder of one package in mayfly.toml (source)");
  if (const auto chosen = manifest["package"]["default-run"].value<std::string>()) return *chosen;
  const auto names = binaries(manifest, folder);
  if (names.size() == 1) return names.front();
  if (std::ranges::find(names, package) != names.end()) return package;
  return fail(RegistryErrc::no_entry, names.empty()
                                          ? "the package has no binary: src/main.rs is missing"
                                          : "the package has several binaries: name one in Cargo.toml "
                                            "(default-run)");
}

bool depends_on_lambda(const toml::table& table) {
  const auto* dependencies = table["dependencies"].as_table();
  if (dependencies == nullptr) return false;
  return std::ranges::any_of(*dependencies, [](const auto& one) {
    const auto name = one.first.str();
    return name == "lambda_runtime" || name == "lambda_http" || name == "lambda-web";
  });
}

/// Cargo knows a package by its path: with the same one at each build only what changed is compiled again.
Result<void> copy_source(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::remove_all(to, error);
  if (!error) fs::copy(from, to, fs::copy_options::recursive | fs::copy_options::copy_symlinks, error);
  if (error) return fail_errno("copy the source", error.value());
  fs::remove_all(to / "target", error);
  return {};
}

}  // namespace

bool cargo_uses_lambda(const fs::path& folder) {
  const auto manifest = read_manifest(folder / "Cargo.toml");
  return manifest && depends_on_lambda(*manifest);
}

Result<BuiltProgram> build_cargo(const ProgramBuild& build) {
  const auto toolchain = find_toolchain();
  if (toolchain.cargo.empty()) return no_tool("Cargo, which a Cargo.toml needs,", "cargo");
  const auto manifest = read_manifest(build.folder / "Cargo.toml");
  if (!manifest) return std::unexpected(manifest.error());
  const auto binary = choose_binary(*manifest, build.folder);
  if (!binary) return std::unexpected(binary.error());

  // Build scripts and macros are code of whoever wrote them: what they can write serves this function alone.
  const auto own = build.caches / "cargo" / build.context.function;
  for (const char* part : {"home", "target"})
    if (auto made = make_folder(own / part); !made) return propagate(made);
  const Fd lock(
      ::open(own.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));  // another daemon may have this cache
  ::flock(lock.get(), LOCK_EX);
  fs::last_write_time(own, fs::file_time_type::clock::now());
  keep_newest(own.parent_path(), kKept);
  if (auto copied = copy_source(build.context.root, own / "source"); !copied) return propagate(copied);

  ToolRun step;
  step.folder = own / "source" / build.folder.lexically_relative(build.context.root);
  step.environment = {"CARGO_HOME=" + (own / "home").string(),
                      "CARGO_TARGET_DIR=" + (own / "target").string(), "CARGO_TERM_COLOR=never",
                      "CARGO_INCREMENTAL=0"};
  step.writable = {own / "home", own / "target", own / "source"};
  if (!toolchain.folder.empty()) step.visible = {toolchain.folder};
  const auto cargo = toolchain.cargo.string();
  if (!fs::exists(build.folder / "vendor")) {
    step.network = true;
    step.name = "cargo fetch";
    step.argv = {cargo, "fetch"};
    if (auto ran = build.run(step); !ran) return propagate(ran);
  }
  step.network = false;
  step.name = "cargo build";
  step.argv = {cargo, "build", "--release", "--offline", "--bin", *binary};
  if (auto ran = build.run(step); !ran) return propagate(ran);
  return BuiltProgram{own / "target/release" / *binary, *binary};
}

}  // namespace mayfly::registry
