#include <algorithm>
#include <array>
#include <cstdlib>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/guarded_folder.h"
#include "base/regular_file.h"
#include "base/temp_folder.h"
#include "registry/dependencies.h"
#include "registry/error.h"
#include "registry/files.h"
#include "registry/json_text.h"
#include "registry/node_manifest.h"
#include "registry/node_terms.h"
#include "registry/tool.h"

namespace mayfly::registry {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// Node and the npm that belongs to it.
struct Npm {
  fs::path node;
  fs::path script;  ///< npm-cli.js, or npm itself where that is no script
  std::string version;

  [[nodiscard]] std::vector<std::string> command() const {
    if (script.extension() == ".js") return {node, script};
    return {script};
  }
};

Result<Npm> find_npm(const BuildContext& context) {
  Npm npm;
  npm.node = context.interpreter.empty() ? find_program({}, "node") : fs::path(context.interpreter);
  const auto found = find_program(npm.node.parent_path(), "npm");
  if (found.empty()) {
    return fail(RegistryErrc::build_failed,
                "package.json has dependencies, and npm, which installs them, was not found: install it "
                "(apt-get install npm), or deploy with node_modules (mayfly deploy --vendored)");
  }
  std::error_code error;
  npm.script = fs::canonical(found, error);
  npm.version = identity_of(npm.script);
  if (const auto text = read_regular_file(npm.script.parent_path().parent_path() / "package.json"))
    if (const auto package = parse_json(*text); package.is_object())
      npm.version = package.value("version", npm.version);
  return npm;
}

bool is_own_place(std::string_view name) {
  constexpr std::array<std::string_view, 10> kOwn{
      "cache",       "userconfig", "prefix",     "local_prefix", "global_prefix",
      "init_module", "node_gyp",   "user_agent", "noproxy",      "ignore_scripts"};
  return std::ranges::find(kOwn, name) != kOwn.end();
}

/// Settings of npm in the daemon's environment, without those that belong to the daemon's own place.
std::vector<std::string> npm_settings(bool with_credentials) {
  constexpr std::size_t kPrefix = std::string_view("npm_config_").size();
  auto settings = variables_with("npm_config_");
  std::erase_if(settings, [&](const std::string& setting) {
    const auto name = std::string_view(setting).substr(kPrefix, setting.find('=') - kPrefix);
    return is_own_place(name) ||
           (!with_credentials && is_credential(std::string_view(setting).substr(kPrefix)));
  });
  return settings;
}

/// npm explains all its options where a lock file does not fit.
std::string without_usage(std::string said) {
  const auto begin = said.find(" Clean install a project\n");
  if (begin == std::string::npos) return said;
  const auto line = said.rfind('\n', begin) + 1;
  const auto log = said.find("A complete log of this run", begin);
  said.erase(line, log == std::string::npos ? log : said.rfind('\n', log) + 1 - line);
  return said;
}

class NodeInstall {
 public:
  NodeInstall(BuildContext& context, const NodeManifest& manifest, Npm npm)
      : context_(context), manifest_(manifest), npm_(std::move(npm)) {}

  /// All that the content of the layer depends on.
  Result<std::string> recipe() const {
    std::string text = "node packages 3\n";
    add_field(text, "node", identity_of(npm_.node));
    add_field(text, "npm", npm_.version);
    add_field(text, "platform", platform_identity());
    add_field(text, "folder", manifest_.folder.string());
    add_field(text, "package.json", manifest_.package.dump());
    add_field(text, "lock", manifest_.lock);
    add_field(text, ".npmrc", manifest_.npmrc);
    for (const auto& path : manifest_.local) {
      auto digest = digest_of_local(path);
      if (!digest) return digest;
      add_field(text, "package", path.string());
      add_field(text, "content", *digest);
    }
    return text;
  }

  Result<void> fill(const fs::path& layer) {
    if (auto staged = stage(layer); !staged) return staged;
    auto work = context_.layers.stage();
    if (!work) return propagate(work);
    if (auto fetched = fetch(layer, work->path()); !fetched) return fetched;
    if (has_install_scripts(layer))
      if (auto built = run_scripts(layer); !built) return built;
    return clean(layer);
  }

 private:
  /// Takes away what an installation needed; through no link that a script has put there.
  Result<void> clean(const fs::path& layer) const {
    const auto guarded = GuardedFolder::open(layer);
    if (!guarded) return std::unexpected(guarded.error());
    for (const std::string& name :
         {std::string("package.json"), manifest_.lock_name, std::string(".npmrc")}) {
      if (name.empty()) continue;
      if (auto removed = guarded->remove(manifest_.folder / name); !removed)
        return left_by_build(removed.error());
    }
    if (auto made = guarded->make_folder(manifest_.folder / "node_modules"); !made)
      return left_by_build(made.error());
    return {};
  }

  Result<std::string> digest_of_local(const fs::path& path) const {
    const auto full = context_.root / path;
    std::error_code error;
    if (fs::is_directory(full, error)) return digest_of(full);
    if (fs::is_regular_file(full, error)) {
      auto text = read_regular_file(full);
      if (!text) return propagate(text);
      return digest_of_text(*text);
    }
    auto missing = fail(RegistryErrc::build_failed, "the package '" + path.string() + "' was not deployed");
    missing.error().with("path", path.string());
    return missing;
  }

  /// The manifest, its lock file, and the packages that are part of the upload.
  Result<void> stage(const fs::path& layer) const {
    const auto guarded = GuardedFolder::open(layer);
    if (!guarded) return std::unexpected(guarded.error());
    for (const auto& path : manifest_.local) {
      if (path == manifest_.folder || path == ".") continue;
      if (auto made = guarded->make_folder(path.parent_path()); !made) return left_by_build(made.error());
      fs::copy(
          context_.root / path, layer / path,
          fs::copy_options::recursive | fs::copy_options::copy_symlinks | fs::copy_options::skip_existing);
    }
    const auto write = [&](const std::string& name, const std::string& text) -> Result<void> {
      if (name.empty() || text.empty()) return {};
      if (auto written = guarded->write(manifest_.folder / name, text); !written)
        return left_by_build(written.error());
      return {};
    };
    if (auto written = write("package.json", manifest_.package.dump(2)); !written) return written;
    if (auto written = write(".npmrc", manifest_.npmrc); !written) return written;
    return write(manifest_.lock_name, manifest_.lock);
  }

  [[nodiscard]] ToolRun npm(const fs::path& layer, std::vector<std::string> arguments) const {
    ToolRun run;
    run.name = "npm";
    run.argv = npm_.command();
    run.argv.insert(run.argv.end(), arguments.begin(), arguments.end());
    run.folder = layer / manifest_.folder;
    run.writable = {layer};
    run.network = true;
    run.environment = network_environment();
    for (const char* setting :
         {"HOME=/tmp", "NO_COLOR=1", "npm_config_audit=false", "npm_config_fund=false",
          "npm_config_update_notifier=false", "npm_config_progress=false",
          // npm's own pauses between attempts last for minutes
          "npm_config_fetch_retry_mintimeout=1000", "npm_config_fetch_retry_maxtimeout=5000"})
      run.environment.emplace_back(setting);
    run.environment.push_back("PATH=" + npm_.node.parent_path().string() + ":/usr/local/bin:/usr/bin:/bin");
    run.visible = toolchain_of(npm_.node);
    for (auto& folder : toolchain_of(npm_.script)) run.visible.push_back(std::move(folder));
    return run;
  }

  /// No script of a package runs here, so this may use the downloads that all share, and the server's tokens:
  /// unless the deployment has terms of its own (node_terms.h).
  Result<void> fetch(const fs::path& layer, const fs::path& work) {
    const bool servers = manifest_.own_terms.empty();
    auto run = npm(layer, manifest_.lock_name.empty()
                              ? std::vector<std::string>{"install", "--no-package-lock", "--omit=dev"}
                              : std::vector<std::string>{"ci", "--omit=dev"});
    run.argv.emplace_back("--ignore-scripts");
    std::ranges::move(npm_settings(servers), std::back_inserter(run.environment));
    if (servers) std::ranges::move(variables_with("NPM_TOKEN="), std::back_inserter(run.environment));
    std::error_code error;
    const auto cache = servers ? downloads(context_, "npm") : work / "cache";
    fs::create_directories(cache, error);
    run.environment.push_back("npm_config_cache=" + cache.string());
    if (servers) run.caches = {cache};
    run.writable.push_back(work);
    // The settings of the daemon's user, where others can read them for the time.
    const char* home = std::getenv("HOME");
    if (const auto settings = read_regular_file(fs::path(home != nullptr ? home : "/") / ".npmrc")) {
      const auto given = servers ? *settings : without_credentials(*settings);
      if (auto written = write_file(work / "npmrc", given); !written) return written;
      run.environment.push_back("npm_config_userconfig=" + (work / "npmrc").string());
    }
    return finish(run,
                  "npm could not install the dependencies" +
                      (servers ? "" : " (without the server's tokens, because " + manifest_.own_terms + ")"));
  }

  /// npm's own list of what it has installed.
  [[nodiscard]] bool has_install_scripts(const fs::path& layer) const {
    const auto guarded = GuardedFolder::open(layer);
    if (!guarded) return false;
    const auto text = guarded->read(manifest_.folder / "node_modules/.package-lock.json");
    return text && text->contains("\"hasInstallScript\": true");
  }

  Result<void> run_scripts(const fs::path& layer) {
    auto run = npm(layer, {"rebuild", "--foreground-scripts"});
    run.environment.emplace_back("npm_config_cache=/tmp/npm");
    return finish(run, "an install script failed");
  }

  Result<void> finish(const ToolRun& run, const std::string& what) {
    auto ran = run_tool(context_, run);
    if (!ran) return propagate(ran);
    if (ran->success) return {};
    ran->tail = without_usage(std::move(ran->tail));
    return tool_failed(what, *ran, ran->tail.contains("npm ERR!") ? "npm ERR!" : "npm error");
  }

  BuildContext& context_;
  const NodeManifest& manifest_;
  Npm npm_;
};

/// Packages are found from the files of the source as npm has laid them out around the manifest.
Result<void> link_packages(BuildContext& context, const NodeManifest& manifest, const fs::path& layer) {
  auto folders = manifest.local;
  folders.push_back(manifest.folder);
  for (const auto& folder : folders) {
    const auto link = folder / "node_modules";
    std::error_code error;
    if (!fs::is_directory(layer / link, error) || fs::exists(context.root / link, error)) continue;
    fs::create_directory_symlink(layer / link, context.root / link, error);
    if (error) return fail_errno("link " + link.string(), error.value());
    context.built.links.push_back(link);
  }
  return {};
}

}  // namespace

Result<void> install_node_packages(BuildContext& context) {
  auto manifest = read_node_manifest(context.root, context.built.entry);
  if (!manifest) return propagate(manifest);
  if (manifest->package.is_null()) return {};
  auto npm = find_npm(context);
  if (!npm) return propagate(npm);
  NodeInstall install(context, *manifest, std::move(*npm));
  auto recipe = install.recipe();
  if (!recipe) return propagate(recipe);
  auto layer = context.layers.get(*recipe, context.options.layer_limits,
                                  [&](const fs::path& folder) { return install.fill(folder); });
  if (!layer) return propagate(layer);
  if (manifest->lock_name.empty()) {
    context.built.warnings.emplace_back(
        "package.json has no lock file, so its dependencies are what was newest when they were installed: "
        "'npm install --package-lock-only' makes one");
  }
  const auto folder = context.layers.path(layer->digest());
  context.built.layers.push_back(std::move(*layer));
  return link_packages(context, *manifest, folder);
}

}  // namespace mayfly::registry
