#include <cstdlib>
#include <optional>

#include "base/remove_tree.h"
#include "base/temp_folder.h"
#include "registry/dependencies.h"
#include "registry/error.h"
#include "registry/files.h"
#include "registry/requirements.h"
#include "registry/tool.h"

namespace mayfly::registry {
namespace {

namespace fs = std::filesystem;

/// The folder of wheels that were deployed; empty if there is none.
fs::path wheels_of(const BuildContext& context, const Requirements& requirements) {
  std::error_code ignored;
  auto wheels = context.root / requirements.folder / "wheels";
  return fs::is_directory(wheels, ignored) ? wheels : fs::path();
}

class PythonInstall {
 public:
  PythonInstall(BuildContext& context, const Requirements& requirements, fs::path python)
      : context_(context),
        requirements_(requirements),
        python_(std::move(python)),
        wheels_(wheels_of(context, requirements)) {}

  /// All that the content of the layer depends on.
  Result<std::string> recipe() const {
    std::string text = "python packages 3\n";
    add_field(text, "python", identity_of(python_));
    add_field(text, "platform", platform_identity());
    for (const auto& [name, folder] :
         {std::pair("wheels", wheels_),
          std::pair("source", requirements_.local ? context_.root : fs::path())}) {
      if (folder.empty()) continue;
      auto digest = digest_of(folder);
      if (!digest) return digest;
      add_field(text, name, *digest);
    }
    add_field(text, "requirements", requirements_.text);
    return text;
  }

  Result<void> fill(const fs::path& layer) {
    if (auto fresh = take_fresh_folder(); !fresh) return fresh;
    // Building a package writes to its source: not to the one that is being deployed.
    source_ = context_.root;
    if (requirements_.local) {
      source_ = work_ / "source";
      fs::copy(context_.root, source_, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    }
    if (auto installed = install(layer); !installed) return installed;
    compile(layer);
    return {};
  }

 private:
  /// For one run of pip, which may leave anything there: a link, for what is written for the next run.
  Result<void> take_fresh_folder() {
    auto folder = context_.layers.stage();
    if (!folder) return propagate(folder);
    work_ = held_.emplace(std::move(*folder)).path();
    return {};
  }

  /// With wheels alone no code of a package runs, and the downloads that all share can be used. What is there
  /// only as a source is built by what it says itself, so that is done without them; so is what the
  /// deployment itself says of where packages are (it can undo --only-binary, and choose what is kept).
  Result<void> install(const fs::path& layer) {
    if (!wheels_.empty() || !requirements_.plain()) return finish(pip(layer, false));
    auto run = pip(layer, true);
    if (!run) return propagate(run);
    auto ran = run_tool(context_, *run);
    if (!ran) return propagate(ran);
    if (ran->success) return {};
    if (ran->tail.contains("No module named pip")) return no_pip();
    if (context_.output)
      context_.output("not all of it is there as wheels: once more, with what must be built\n");
    for (const auto& entry : fs::directory_iterator(layer))
      if (auto removed = remove_tree(entry.path()); !removed) return removed;
    if (auto fresh = take_fresh_folder(); !fresh) return fresh;
    return finish(pip(layer, false));
  }

  Result<void> finish(const Result<ToolRun>& run) {
    if (!run) return std::unexpected(run.error());
    auto ran = run_tool(context_, *run);
    if (!ran) return propagate(ran);
    if (ran->success) return {};
    if (ran->tail.contains("No module named pip")) return no_pip();
    return tool_failed("pip could not install the dependencies", *ran, "ERROR:");
  }

  Result<void> no_pip() const {
    return fail(RegistryErrc::build_failed,
                "the dependencies are installed by pip, which " + python_.string() +
                    " does not have: install it (apt-get install python3-pip, or " + python_.string() +
                    " -m ensurepip), or deploy with the packages in a folder vendor");
  }

  Result<ToolRun> pip(const fs::path& layer, bool wheels_only) {
    ToolRun run;
    run.name = "pip";
    run.argv = {python_,
                "-m",
                "pip",
                "install",
                "--target",
                layer,
                "--no-input",
                "--no-compile",
                "--no-color",
                "--disable-pip-version-check",
                "--no-warn-script-location",
                "--progress-bar=off",
                "--prefer-binary"};
    run.folder = source_ / requirements_.folder;
    run.writable = {layer, work_};
    run.network = wheels_.empty();
    run.visible = toolchain_of(python_);
    run.visible.push_back(context_.root);
    run.environment = environment();
    if (!wheels_.empty()) run.argv.insert(run.argv.end(), {"--no-index", "--find-links", wheels_});
    if (wheels_only) {
      run.argv.emplace_back("--only-binary=:all:");
      const auto cache = downloads(context_, "pip");
      std::error_code error;
      fs::create_directories(cache, error);
      run.caches = {cache};
      run.environment.push_back("PIP_CACHE_DIR=" + cache.string());
    } else {
      run.environment.emplace_back("PIP_NO_CACHE_DIR=1");
    }
    auto named = requirements_file();
    if (!named) return propagate(named);
    run.argv.insert(run.argv.end(), {"-r", *named});
    return run;
  }

  Result<std::string> requirements_file() const {
    if (!requirements_.file.empty()) return (source_ / requirements_.file).string();
    const auto file = work_ / "requirements.txt";
    std::string text;
    for (const auto& line : requirements_.lines) text += line + "\n";
    if (auto written = write_file(file, text); !written) return propagate(written);
    return file.string();
  }

  std::vector<std::string> environment() const {
    auto environment = network_environment();
    for (auto& setting : variables_with("PIP_")) {
      const std::string_view text(setting);
      bool own_place = false;
      for (const std::string_view mine :
           {"PIP_TARGET=", "PIP_PREFIX=", "PIP_ROOT=", "PIP_USER=", "PIP_CACHE_DIR=", "PIP_NO_CACHE_DIR=",
            "PIP_CONFIG_FILE=", "PIP_REQUIRE_VIRTUALENV=", "PIP_PYTHON=", "PIP_LOG=", "PIP_REQUIREMENT=",
            "PIP_CONSTRAINT="})
        own_place = own_place || text.starts_with(mine);
      if (!own_place) environment.push_back(std::move(setting));
    }
    environment.emplace_back("HOME=/tmp");
    environment.emplace_back("PYTHONSAFEPATH=1");  // -m would find an uploaded pip.py first
    environment.push_back("TMPDIR=" + work_.string());
    environment.push_back("PATH=" + python_.parent_path().string() + ":/usr/local/bin:/usr/bin:/bin");
    // The settings of the daemon's user, where others can read them for the time.
    if (const char* home = std::getenv("HOME")) {
      for (const char* name : {".config/pip/pip.conf", ".pip/pip.conf"}) {
        std::error_code error;
        if (!fs::copy_file(fs::path(home) / name, work_ / "pip.conf", fs::copy_options::overwrite_existing,
                           error))
          continue;
        environment.push_back("PIP_CONFIG_FILE=" + (work_ / "pip.conf").string());
        break;
      }
    }
    return environment;
  }

  /// The layer never changes, so nothing need be compared with the source when it is loaded. What cannot be
  /// compiled (files for other versions of Python) is left as it is.
  void compile(const fs::path& layer) {
    ToolRun run;
    run.name = "compileall";
    run.argv = {python_, "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash", layer};
    run.folder = layer;
    run.writable = {layer};
    run.visible = toolchain_of(python_);
    // -m would find a package's own compileall.py first.
    run.environment = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp", "PYTHONSAFEPATH=1"};
    BuildContext silent{context_.root,   context_.built,   context_.function,
                        context_.layers, context_.options, no_output_};
    (void)run_tool(silent, run);
  }

  BuildContext& context_;
  const Requirements& requirements_;
  fs::path python_;
  fs::path wheels_;
  std::optional<TempFolder> held_;
  fs::path work_;  ///< its path
  fs::path source_;
  BuildOutput no_output_;
};

/// What is not fixed to one version is taken as it was installed once. A folder of wheels fixes it as well.
std::string warning_of_versions(const BuildContext& context, const Requirements& requirements) {
  if (requirements.not_fixed.empty() || requirements.constrained || !wheels_of(context, requirements).empty())
    return {};
  return "'" + requirements.not_fixed +
         "' is not fixed to one version: what was installed for it once is used by later deploys as well "
         "('pip "
         "freeze' writes versions that are)";
}

fs::path python_of(const BuildContext& context) {
  return context.interpreter.empty() ? find_program({}, "python3") : fs::path(context.interpreter);
}

}  // namespace

Result<void> install_python_packages(BuildContext& context) {
  // Found by the runtime where they are.
  std::error_code ignored;
  for (auto folder = fs::path(context.built.entry).parent_path();; folder = folder.parent_path()) {
    if (fs::is_directory(context.root / folder / "vendor", ignored)) return {};
    if (folder.empty()) break;
  }
  auto requirements = read_requirements(context.root, context.built.entry);
  if (!requirements) return propagate(requirements);
  if (!requirements->warning.empty()) context.built.warnings.push_back(requirements->warning);
  if (auto warning = warning_of_versions(context, *requirements); !warning.empty())
    context.built.warnings.push_back(std::move(warning));
  if (!requirements->any) return {};
  PythonInstall install(context, *requirements, python_of(context));
  auto recipe = install.recipe();
  if (!recipe) return propagate(recipe);
  auto layer = context.layers.get(*recipe, context.options.layer_limits,
                                  [&](const fs::path& folder) { return install.fill(folder); });
  if (!layer) return propagate(layer);
  context.built.layers.push_back(std::move(*layer));
  return {};
}

}  // namespace mayfly::registry
