#include "registry/build.h"

#include <algorithm>
#include <exception>
#include <fstream>
#include <iterator>
#include <utility>

#include "base/regular_file.h"
#include "base/text.h"
#include "registry/build_exec.h"
#include "registry/build_native.h"
#include "registry/build_step.h"
#include "registry/config_choices.h"
#include "registry/config_toml.h"
#include "registry/dependencies.h"
#include "registry/entry.h"
#include "registry/error.h"
#include "registry/files.h"
#include "registry/source_kind.h"
#include "registry/wanted_version.h"
#include "registry/warnings.h"

namespace mayfly::registry {
namespace {

namespace fs = std::filesystem;

/// The first bytes of what was sent: enough to tell an archive.
std::string head_of(const DeployRequest& request) {
  if (request.body_file.empty()) return request.body.substr(0, 512);
  std::string head(512, '\0');
  std::ifstream stream(request.body_file, std::ios::binary);
  stream.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(stream.gcount()));
  return head;
}

Result<void> unpack_into(const fs::path& folder, const DeployRequest& request, const SourceStore& sources,
                         const ArchiveLimits& limits) {
  if (!request.body_file.empty()) return unpack(request.body_file, folder, limits);
  const auto beside = sources.stage();
  if (!beside) return std::unexpected(beside.error());
  const auto archive = beside->path() / "archive";
  if (auto written = write_file(archive, request.body); !written) return written;
  return unpack(archive, folder, limits);
}

/// One file is the whole deployment.
Result<void> place_file(const fs::path& folder, const DeployRequest& request, const ArchiveLimits& limits) {
  const auto& name = request.file_name;
  const bool program = is_program(head_of(request));
  if (name.empty() || (!runtime_of(name) && !program)) {
    const auto what =
        name.empty() ? std::string("a source without a file name") : "'" + name.substr(0, 80) + "'";
    return fail(RegistryErrc::unsupported_source,
                what +
                    " is neither an archive (tar, tar.gz, zip) nor a file that "
                    "can be run; known are " +
                    known_sources());
  }
  if (name.contains('/') || name.contains('\0') || name.starts_with('.') || name.size() > 200)
    return fail(RegistryErrc::unsafe_path, "'" + name.substr(0, 80) + "' is not the name of a file");
  std::error_code error;
  if (request.body_file.empty() || !fs::exists(request.body_file, error)) {  // nothing came: an empty file
    if (auto written = write_file(folder / name, request.body); !written) return written;
  } else {
    const auto size = fs::file_size(request.body_file, error);
    if (!error && size > limits.max_bytes)
      return fail(RegistryErrc::too_large,
                  "the source file is larger than " + size_in_words(limits.max_bytes));
    fs::copy_file(request.body_file, folder / name, error);
    if (error) return fail_errno("copy the source", error.value());
  }
  // What is sent as bytes alone has no mode; a program is meant to be run.
  if (program) fs::permissions(folder / name, fs::perms(0755));
  return {};
}

/// An archive of a folder often holds that folder as its only entry (npm's "package", GitHub's "name-main").
fs::path project_root(const fs::path& folder) {
  const fs::directory_iterator first(folder);
  if (first == fs::directory_iterator() ||
      std::next(fs::directory_iterator(folder)) != fs::directory_iterator())
    return folder;
  return first->is_directory() && !first->is_symlink() && first->path().filename() != "src" ? first->path()
                                                                                            : folder;
}

Result<FunctionSpec> configure(const fs::path& root, const DeployRequest& request) {
  FunctionSpec spec;
  if (const auto file = root / "mayfly.toml"; fs::is_regular_file(file)) {
    auto text = read_regular_file(file);
    if (!text) return propagate(text);
    auto specs = parse_toml(*text, "mayfly.toml");
    if (!specs) return propagate(specs);
    auto chosen = choose_function(*specs, request.name);
    if (!chosen) return chosen;
    spec = std::move(*chosen);
  }
  for (const auto& setting : request.settings)
    if (auto set = set_text(spec, setting); !set) return propagate(set);
  if (auto checked = check_together(spec.config); !checked) return propagate(checked);
  return spec;
}

/// What the source needs before its runtime can load it.
Result<void> run_steps(BuildContext& context) {
  switch (context.built.runtime) {
    case Runtime::node:
      return build_node(context);
    case Runtime::python:
      return install_dependencies(context);
    case Runtime::native:
      return build_native(context);
    case Runtime::exec:
      return build_exec(context);
    case Runtime::upstream:
      break;  // has no source
  }
  return {};
}

/// Of source, layers, entry and configuration together.
std::string digest_of(const Built& built) {
  auto text = built.source.digest() + "\n" + name_of(kRuntimes, built.runtime) + "\n" + built.entry + "\n" +
              config_to_json(built.config);
  for (const auto& layer : built.layers) text += "\n" + layer.digest();
  return digest_of_text(text);
}

/// Nothing of what was sent is kept: its source is a file that says where it is.
Result<Built> build_upstream(const SourceStore& sources, FunctionSpec spec) {
  auto staged = sources.stage();
  if (!staged) return propagate(staged);
  const auto folder = staged->path() / "source";
  fs::create_directory(folder);
  if (auto written = write_file(folder / "upstream", spec.config.upstream + "\n"); !written)
    return propagate(written);
  auto taken = sources.take(folder);
  if (!taken) return propagate(taken);
  Built built;
  built.source = std::move(*taken);
  built.runtime = Runtime::upstream;
  built.entry = "upstream";
  built.config = std::move(spec.config);
  built.warnings = std::move(spec.warnings);
  built.digest = digest_of(built);
  return built;
}

/// Whether it is deployed by settings alone.
bool has_no_source(const DeployRequest& request) {
  return std::ranges::any_of(request.settings,
                             [](const auto& setting) { return setting.starts_with("upstream="); });
}

Result<Built> build_staged(const fs::path& root, const DeployRequest& request, const SourceStore& sources,
                           const LayerStore& layers, const DeployOptions& options) {
  auto spec = configure(root, request);
  if (!spec) return propagate(spec);
  if (spec->runtime == Runtime::upstream) return build_upstream(sources, std::move(*spec));
  if (spec->source.empty()) spec->source = take_module(root, spec->config.handler);
  auto entry = find_entry(root, spec->source);
  if (!entry) return propagate(entry);
  Built built;
  built.runtime = spec->runtime.value_or(entry->runtime);
  built.entry = std::move(entry->file);
  built.config = std::move(spec->config);
  built.says_access = spec->says_access;
  built.warnings = std::move(spec->warnings);
  std::string interpreter;
  if (options.interpreter) {
    auto found = options.interpreter(built.runtime, built.config);
    if (!found) return fail(RegistryErrc::unsupported_source, found.error().message);
    interpreter = std::move(*found);
  }
  const auto manifest = fs::path(built.entry).filename();
  if (!built.config.program.empty() && manifest != "go.mod" && manifest != "Cargo.toml")
    built.warnings.emplace_back(
        "program is set, and says nothing to what was not built by a go.mod or a Cargo.toml");
  BuildContext context{root, built, request.name, layers, options, request.output, std::move(interpreter)};
  warn_of_interpreter(context);
  if (auto done = run_steps(context); !done) return with_warnings(done.error(), built.warnings);
  if (auto checked = check_size(root, options.layer_limits); !checked) return propagate(checked);
  auto taken = sources.take(root);
  if (!taken) return propagate(taken);
  built.source = std::move(*taken);
  built.digest = digest_of(built);
  return built;
}

}  // namespace

Result<Built> build(const DeployRequest& request, const SourceStore& sources, const LayerStore& layers,
                    const DeployOptions& options) {
  try {
    auto staged = sources.stage();
    if (!staged) return propagate(staged);
    const auto folder = staged->path() / "source";
    fs::create_directory(folder);
    const bool archive = is_archive(head_of(request));
    if (!archive && has_no_source(request)) return build_staged(folder, request, sources, layers, options);
    auto placed = archive ? unpack_into(folder, request, sources, options.limits)
                          : place_file(folder, request, options.limits);
    if (!placed) return propagate(placed);
    const auto root = archive ? project_root(folder) : folder;
    return build_staged(root, request, sources, layers, options);
  } catch (const std::exception& error) {  // of std::filesystem, or no memory
    return std::unexpected(Error{std::make_error_code(std::errc::io_error), error.what(), {}});
  }
}

}  // namespace mayfly::registry
