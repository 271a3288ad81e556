#include "registry/bundle.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/child.h"
#include "base/guarded_folder.h"
#include "base/remove_tree.h"
#include "base/text.h"
#include "registry/error.h"
#include "registry/esbuild_log.h"
#include "registry/files.h"
#include "registry/json_text.h"
#include "registry/native_packages.h"
#include "sandbox/confined.h"

namespace mayfly::registry {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kMetafile = ".mayfly-bundle.json";

/// What CommonJS packages expect and an ES module has not. esbuild renames a `require` of the user's own, and
/// `--define` replaces only those two names that nobody has declared.
constexpr const char* kBanner =
    "--banner:js=import{createRequire as __mayflyCreateRequire}from'node:module';"
    "import{fileURLToPath as __mayflyPath}from'node:url';"
    "var require=__mayflyCreateRequire(import.meta.url),__mayflyFilename=__mayflyPath(import.meta.url),"
    "__mayflyDirname=__mayflyPath(new URL('.',import.meta.url)).slice(0,-1);";

struct Job {
  const fs::path& esbuild;
  const fs::path& folder;
  const std::string& entry;
  const std::vector<std::string>& external;
  const BundleOptions& options;
};

/// What a run of esbuild has given.
struct Run {
  ExitStatus status;
  std::string printed;
};

std::vector<std::string> arguments(const Job& job, bool module, const std::string& output) {
  std::vector<std::string> argv{job.esbuild,
                                "./" + job.entry,
                                "--bundle",
                                "--platform=node",
                                "--target=node18",
                                "--sourcemap=inline",
                                "--sources-content=false",
                                "--log-level=warning",
                                "--log-limit=20",
                                "--color=false",
                                std::string("--format=") + (module ? "esm" : "cjs"),
                                "--outfile=" + output,
                                std::string("--metafile=") + kMetafile};
  if (module) {
    argv.emplace_back(kBanner);
    argv.emplace_back("--define:__dirname=__mayflyDirname");
    argv.emplace_back("--define:__filename=__mayflyFilename");
  }
  argv.emplace_back("--external:*.node");
  for (const auto& package : job.external) argv.push_back("--external:" + package);
  return argv;
}

std::unexpected<Error> build_error(const Run& ran) {
  const auto messages = parse_esbuild_log(ran.printed);
  const auto first = std::ranges::find(messages, true, &EsbuildMessage::is_error);
  if (first == messages.end())
    return fail(RegistryErrc::build_failed,
                "esbuild ended with " + ran.status.text() + ": " + ran.printed.substr(0, 500));
  std::string text;
  for (const auto& message : messages)
    if (message.is_error) text += (text.empty() ? "" : "\n") + message.describe();
  const bool unresolved = first->text.starts_with("Could not resolve") || first->file.empty();
  auto error = fail(unresolved ? RegistryErrc::build_failed : RegistryErrc::syntax_error, std::move(text));
  if (!first->file.empty()) {
    error.error()
        .with("file", first->file)
        .with("line", std::to_string(first->line))
        .with("column", std::to_string(first->column));
  }
  return error;
}

/// It reads code of strangers, and whatever file an import names.
Result<Run> run_confined(const Job& job, std::vector<std::string> argv, std::vector<std::string>& warnings) {
  constexpr std::size_t kMostPrinted = 1U << 20U;
  Run run;
  sandbox::ConfinedCommand command;
  command.argv = std::move(argv);
  // Nothing of the daemon's environment: it could hold secrets, and NODE_PATH would change the result.
  command.environment = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp"};
  command.folder = job.folder;
  command.writable = {job.folder};
  command.visible = job.options.layers;
  std::error_code ignored;
  command.visible.push_back(job.esbuild.parent_path());
  command.visible.push_back(fs::canonical(job.esbuild, ignored).parent_path());
  if (!job.options.hidden.empty()) command.hidden = {job.options.hidden};
  command.limit = job.options.limit;
  command.max_memory = job.options.memory;
  command.min_free = job.options.min_free;
  command.background = false;
  command.stop = job.options.stop;
  command.output = [&run](std::string_view text) {
    if (run.printed.size() < kMostPrinted) run.printed.append(text);
  };
  auto ran = sandbox::run_confined(command);
  if (!ran) return fail(RegistryErrc::build_failed, "esbuild cannot be started: " + ran.error().message);
  if (ran->timed_out)
    return fail(RegistryErrc::build_failed, "esbuild took longer than " + format_duration(job.options.limit));
  if (ran->disk_full)
    return fail(RegistryErrc::build_failed, "esbuild was ended: less than " +
                                                format_size(job.options.min_free) + " was left of the disk");
  for (const auto& reason : ran->degraded)
    if (auto text = "esbuild ran less confined than it should: " + reason;
        std::ranges::find(warnings, text) == warnings.end())
      warnings.push_back(std::move(text));
  run.status = ran->status;
  return run;
}

/// Runs esbuild; gives what it says about inputs and outputs.
Result<json> run_esbuild(const Job& job, bool module, const std::string& output,
                         std::vector<std::string>& warnings) {
  auto ran = run_confined(job, arguments(job, module, output), warnings);
  if (!ran) return propagate(ran);
  if (!ran->status.success()) return build_error(*ran);
  for (const auto& message : parse_esbuild_log(ran->printed)) warnings.push_back(message.describe());
  const auto folder = GuardedFolder::open(job.folder);
  if (!folder) return std::unexpected(folder.error());
  const auto text = folder->read(kMetafile);
  if (!text) return left_by_build(text.error());
  auto meta = parse_json(*text);
  if (auto removed = folder->remove(kMetafile); !removed) return propagate(removed);
  if (!meta.is_object()) return fail(RegistryErrc::build_failed, "esbuild did not say what it built");
  return meta;
}

/// esbuild reads whatever file an import names: none but those of the deployment and its packages may end up
/// in a bundle.
Result<void> check_inputs(const Job& job, const json& meta) {
  const auto in_a_layer = [&](const std::string& path) {
    const auto full = (job.folder / path).lexically_normal();
    return std::ranges::any_of(job.options.layers, [&](const fs::path& layer) {
      const auto inside = full.lexically_relative(layer);
      return !inside.empty() && !inside.native().starts_with("..");
    });
  };
  for (const auto& [path, input] : meta.at("inputs").items()) {
    if ((!path.starts_with("../") && !path.starts_with('/')) || in_a_layer(path)) continue;
    auto error = fail(RegistryErrc::unsafe_path, "'" + path + "' is imported from outside the deployment");
    error.error().with("path", path);
    return error;
  }
  return {};
}

/// Whether the bundle needs something of node_modules when it runs.
bool imports_any(const json& meta, const std::string& output, const std::vector<std::string>& packages) {
  for (const auto& import : meta.at("outputs").at(output).at("imports")) {
    const auto path = import.at("path").get<std::string>();
    if (path.ends_with(".node")) return true;
    for (const auto& package : packages)
      if (path == package || path.starts_with(package + "/")) return true;
  }
  return false;
}

Result<Bundle> build(const Job& job) {
  const auto stem = fs::path(job.entry).replace_extension();
  Bundle result;
  result.entry = stem.string() + ".mayfly.mjs";
  auto meta = run_esbuild(job, true, result.entry, result.warnings);
  if (!meta) return propagate(meta);
  const bool module = meta->at("inputs").at(job.entry).value("format", "esm") == "esm";
  if (!module) {
    // As an ES module a CommonJS file would export nothing but a default.
    fs::remove(job.folder / result.entry);
    result = {.entry = stem.string() + ".mayfly.cjs", .warnings = {}};
    meta = run_esbuild(job, false, result.entry, result.warnings);
    if (!meta) return propagate(meta);
  }
  if (auto checked = check_inputs(job, *meta); !checked) return propagate(checked);
  // Of the packages all that is needed is in the bundle.
  if (!imports_any(*meta, result.entry, job.external)) (void)remove_tree(job.folder / "node_modules");
  return result;
}

}  // namespace

bool needs_bundle(std::string_view file_name) {
  constexpr std::array<std::string_view, 5> kExtensions{".ts", ".mts", ".cts", ".tsx", ".jsx"};
  return std::ranges::any_of(kExtensions, [&](auto extension) { return file_name.ends_with(extension); });
}

fs::path find_esbuild(const fs::path& install, const std::string& setting) {
  if (!setting.empty()) return setting;
#if defined(__aarch64__)
  const auto native = install / "node_modules/@esbuild/linux-arm64/bin/esbuild";
#else
  const auto native = install / "node_modules/@esbuild/linux-x64/bin/esbuild";
#endif
  for (const auto& path : {native, install / "node_modules/.bin/esbuild"})
    if (::access(path.c_str(), X_OK) == 0) return path;
  return {};
}

Result<Bundle> bundle(const fs::path& esbuild, const fs::path& folder, const std::string& entry,
                      const BundleOptions& options) {
  if (esbuild.empty()) {
    return fail(RegistryErrc::build_failed,
                "TypeScript and JSX need esbuild, which is not installed (npm install esbuild, or set "
                "MAYFLY_ESBUILD)");
  }
  const auto external = native_packages(folder / "node_modules");
  const auto normal = fs::path(entry).lexically_normal().string();
  try {
    return build({esbuild, folder, normal, external, options});
  } catch (const json::exception& error) {  // esbuild's metafile has another form than it had
    return fail(RegistryErrc::build_failed,
                std::string("esbuild's report was not understood: ") + error.what());
  }
}

}  // namespace mayfly::registry
