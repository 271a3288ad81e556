#include "registry/requirements.h"

#include <toml++/toml.h>
#include <algorithm>
#include <set>
#include <string_view>

#include "base/regular_file.h"
#include "registry/dependencies.h"
#include "registry/error.h"
#include "registry/layers.h"
#include "registry/requirement_line.h"

namespace mayfly::registry {
namespace {

namespace fs = std::filesystem;

/// Reads a requirements file and those that it names.
class Reader {
 public:
  Reader(const fs::path& root, Requirements& requirements) : root_(root), requirements_(requirements) {}

  Result<void> read(const fs::path& file) {
    if (!read_.insert(file.native()).second) return {};
    if (file.is_absolute() || file.native().starts_with(".."))
      return refuse(file, "lies outside of what was deployed");
    std::error_code ignored;
    if (!fs::is_regular_file(root_ / file, ignored)) return refuse(file, "was not deployed");
    auto text = read_regular_file(root_ / file);
    if (!text) return propagate(text);
    add_field(requirements_.text, "file", file.string());
    add_field(requirements_.text, "lines", *text);
    return look_at_all(*text, file.parent_path());
  }

  /// `folder`: that of the file.
  Result<void> look_at_all(std::string_view text, const fs::path& folder) {
    const auto lines = requirement_lines(text);
    if (!lines) {
      return fail(
          RegistryErrc::bad_config,
          "the requirements are written in another encoding than UTF-8 (or declare one), or with control "
          "characters in them");
    }
    for (const auto& line : *lines)
      if (auto done = look_at(line, folder); !done) return done;
    return {};
  }

 private:
  static Result<void> refuse(const fs::path& file, const std::string& why) {
    auto error = fail(RegistryErrc::bad_config, "the requirements file " + file.string() + " " + why);
    error.error().with("file", file.string());
    return error;
  }

  /// To one version. Options are, too: they name none.
  static bool is_fixed(std::string_view line) {
    const auto versions = line.substr(0, line.find(';'));
    return line.starts_with('-') || (versions.contains("==") && !versions.contains('*'));
  }

  Result<void> look_at(std::string_view line, const fs::path& folder) {
    // pip would put its own settings there, which may hold the server's credentials.
    if (line.contains("${"))
      return fail(RegistryErrc::bad_config,
                  "'" + std::string(line.substr(0, 80)) +
                      "' names a variable: there are none when packages are installed");
    requirements_.any = true;
    const auto read_line = read_requirement_line(line);
    switch (read_line.kind) {
      case RequirementLine::Kind::nothing:
        return {};
      case RequirementLine::Kind::plain:
        if (requirements_.not_fixed.empty() && !is_fixed(line)) requirements_.not_fixed = line.substr(0, 80);
        return {};
      case RequirementLine::Kind::include:
        if (line.starts_with("-c") || line.starts_with("--c")) requirements_.constrained = true;
        return read((folder / read_line.file).lexically_normal());
      case RequirementLine::Kind::remote:
        requirements_.remote = true;
        return {};
      case RequirementLine::Kind::local:
        requirements_.local = true;
        return {};
    }
    return {};
  }

  const fs::path& root_;
  Requirements& requirements_;
  std::set<std::string> read_;
};

/// They are given to pip as lines of a requirements file, where more could be written.
Result<void> check_dependency(const std::string& line, const fs::path& file) {
  if (!line.contains('\n') && !line.contains('\r') && !line.ends_with('\\') && !line.starts_with('-'))
    return {};
  auto error = fail(RegistryErrc::bad_config, "'" + line.substr(0, 80) + "' is no dependency");
  error.error().with("file", file.string());
  return error;
}

std::unexpected<Error> not_installed_from(const std::string& file, const std::string& how) {
  return fail(RegistryErrc::unsupported_source,
              file + " cannot be installed from; write the same versions to requirements.txt: " + how);
}

Result<void> refuse_pipfile(const fs::path& root, const std::string& entry) {
  if (nearest_file(root, entry, "Pipfile").empty() && nearest_file(root, entry, "Pipfile.lock").empty())
    return {};
  return not_installed_from("Pipfile", "pipenv lock && pipenv requirements > requirements.txt");
}

Result<Requirements> read_pyproject(const fs::path& root, const fs::path& file) {
  Requirements requirements;
  requirements.folder = file.parent_path();
  auto text = read_regular_file(root / file);
  if (!text) return propagate(text);
  toml::table table;
  try {
    table = toml::parse(*text);
  } catch (const toml::parse_error& error) {
    auto bad = fail(RegistryErrc::bad_config, "pyproject.toml: " + std::string(error.description()));
    bad.error().with("file", file.string()).with("line", std::to_string(error.source().begin.line));
    return bad;
  }
  // What a lock file has pinned must not be had in other versions without a word.
  for (const auto& [lock, how] : {std::pair{"uv.lock", "uv export --no-dev -o requirements.txt"},
                                  std::pair{"pdm.lock", "pdm export --prod -o requirements.txt"}})
    if (fs::exists(root / requirements.folder / lock)) return not_installed_from(lock, how);
  const auto dependencies = table["project"]["dependencies"];
  if (!dependencies)  // then it is there for other tools
    if (auto refused = refuse_pipfile(root, file.native()); !refused) return propagate(refused);
  if (dependencies && !dependencies.is_array()) {
    auto error = fail(RegistryErrc::bad_config, "[project] dependencies is not a list");
    error.error().with("file", file.string());
    return error;
  }
  if (const auto* dynamic = table["project"]["dynamic"].as_array())
    for (const auto& item : *dynamic)
      if (item.value<std::string>() == "dependencies")
        requirements.warning =
            "the dependencies in pyproject.toml are dynamic, and were not installed: name them in [project] "
            "dependencies, or write them to requirements.txt";
  if (const auto* list = dependencies.as_array()) {
    for (const auto& item : *list)
      if (const auto line = item.value<std::string>()) {
        if (auto checked = check_dependency(*line, file); !checked) return propagate(checked);
        requirements.lines.push_back(*line);
      }
  } else if (table["tool"]["poetry"]["dependencies"].is_table()) {
    requirements.warning =
        "the dependencies in pyproject.toml are Poetry's own, and were not installed: name them in [project] "
        "dependencies, or write them to requirements.txt ('poetry export')";
  }
  std::string lines;
  for (const auto& line : requirements.lines) lines += line + "\n";
  add_field(requirements.text, "folder", requirements.folder.string());
  add_field(requirements.text, "dependencies", lines);
  if (auto read = Reader(root, requirements).look_at_all(lines, requirements.folder); !read)
    return propagate(read);
  return requirements;
}

}  // namespace

Result<Requirements> read_requirements(const fs::path& root, const std::string& entry) {
  Requirements requirements;
  requirements.file = nearest_file(root, entry, "requirements.txt");
  if (!requirements.file.empty()) {
    requirements.folder = requirements.file.parent_path();
    if (auto read = Reader(root, requirements).read(requirements.file); !read) return propagate(read);
    return requirements;
  }
  if (const auto project = nearest_file(root, entry, "pyproject.toml"); !project.empty())
    return read_pyproject(root, project);
  if (auto refused = refuse_pipfile(root, entry); !refused) return propagate(refused);
  if (!nearest_file(root, entry, "setup.py").empty())
    requirements.warning =
        "setup.py is not run, and nothing that it names was installed: write the dependencies to "
        "requirements.txt";
  return requirements;
}

}  // namespace mayfly::registry
