#include <fcntl.h>
#include <sys/file.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "base/fd.h"
#include "base/regular_file.h"
#include "base/remove_tree.h"
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

/// What a rust-toolchain.toml (or rust-toolchain, which may be the name alone) asks for, beside the manifest
/// or above it; empty if there is none.
std::string wanted_channel(const fs::path& root, fs::path folder) {
  for (;; folder = folder.parent_path()) {
    for (const char* name : {"rust-toolchain", "rust-toolchain.toml"}) {
      const auto text = read_regular_file(folder / name);
      if (!text) continue;
      const auto table = read_manifest(folder / name);
      if (table)
        return table->at_path("toolchain.channel").value_or(std::string("a toolchain without a channel"));
      return text->substr(0, text->find_first_of(" \r\n"));
    }
    if (folder == root || folder == folder.root_path()) return {};
  }
}

/// The folder of a toolchain of rustup; empty if it has none of that name. "1.70" is 1.70.0-x86_64-… there.
fs::path installed(const fs::path& rustup, const std::string& channel) {
  const bool plain = !channel.empty() && std::ranges::all_of(channel, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
  });
  if (!plain || channel.starts_with('.')) return {};
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator it(rustup / "toolchains", error), end; !error && it != end;
       it.increment(error)) {
    const auto name = it->path().filename().string();
    const bool is_it = name == channel || name.starts_with(channel + "-") || name.starts_with(channel + ".");
    if (is_it && fs::exists(it->path() / "bin/cargo", error)) found.push_back(it->path());
  }
  if (found.empty()) return {};
  return fs::canonical(std::ranges::max(found), error);
}

std::string default_channel(const fs::path& rustup) {
  if (const char* chosen = std::getenv("RUSTUP_TOOLCHAIN")) return chosen;
  const auto settings = read_manifest(rustup / "settings.toml");
  return settings ? settings->at_path("default_toolchain").value_or(std::string()) : "";
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

Result<std::string> choose_binary(const toml::table& manifest, const fs::path& folder,
                                  const std::string& program) {
  auto package = manifest["package"]["name"].value_or(std::string());
  if (package.empty())
    return fail(RegistryErrc::no_entry,
                "Cargo.toml is that of a workspace: name the folder of one package in mayfly.toml (source)");
  if (!program.empty()) return program;
  if (const auto chosen = manifest["package"]["default-run"].value<std::string>()) return *chosen;
  const auto names = binaries(manifest, folder);
  if (names.size() == 1) return names.front();
  if (std::ranges::find(names, package) != names.end()) return package;
  return fail(RegistryErrc::no_entry, names.empty()
                                          ? "the package has no binary: src/main.rs is missing"
                                          : "the package has several binaries: name one in mayfly.toml, "
                                            "like program = \"" +
                                                names.front() +
                                                "\", or in Cargo.toml "
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
  if (auto removed = remove_tree(to); !removed) return removed;
  std::error_code error;
  fs::copy(from, to, fs::copy_options::recursive | fs::copy_options::copy_symlinks, error);
  if (error) return fail_errno("copy the source", error.value());
  return remove_tree(to / "target");
}

}  // namespace

bool cargo_uses_lambda(const fs::path& folder) {
  const auto manifest = read_manifest(folder / "Cargo.toml");
  return manifest && depends_on_lambda(*manifest);
}

/// A toolchain's own programs, not the shims of rustup: those write into a home, and choose by what lies
/// there.
Result<Toolchain> find_cargo(const ProgramBuild& build) {
  const auto cargo = find_toolchain_program("cargo", {home() / ".cargo/bin", "/usr/local/cargo/bin"});
  if (cargo.empty()) return no_tool("Cargo, which a Cargo.toml needs,", "cargo");
  const auto wanted = wanted_channel(build.context.root, build.folder);
  Toolchain toolchain{.program = cargo};
  bool fits = wanted.empty();
  if (fs::canonical(cargo).filename() == "rustup") {
    const char* set = std::getenv("RUSTUP_HOME");
    const fs::path rustup = set != nullptr ? fs::path(set) : home() / ".rustup";
    auto folder = installed(rustup, wanted);
    fits = fits || !folder.empty();
    if (folder.empty()) folder = installed(rustup, default_channel(rustup));
    if (folder.empty())
      return no_tool("Cargo, which a Cargo.toml needs (rustup has no default toolchain),", "cargo");
    toolchain.program = folder / "bin/cargo";
    toolchain.visible = {folder};
  }
  if (!fits) {
    build.context.built.warnings.push_back("rust-toolchain.toml asks for '" + wanted.substr(0, 80) +
                                           "', which the server does not have: it was built with " +
                                           toolchain.program.string());
  }
  toolchain.identity = identity_of(toolchain.program) + "\n" +
                       identity_of(toolchain.program.parent_path() / "rustc") + "\n" +
                       compiler_identity(find_program({}, "cc"));
  return toolchain;
}

Result<BuiltProgram> build_cargo(const ProgramBuild& build, const Toolchain& toolchain) {
  const auto manifest = read_manifest(build.folder / "Cargo.toml");
  if (!manifest) return std::unexpected(manifest.error());
  const auto binary = choose_binary(*manifest, build.folder, build.context.built.config.program);
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
  step.visible = toolchain.visible;
  const auto cargo = toolchain.program.string();
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
  return BuiltProgram{own / "target", fs::path("release") / *binary, *binary};
}

}  // namespace mayfly::registry
