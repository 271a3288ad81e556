#include "registry/requirements.h"

#include <toml++/toml.h>
#include <algorithm>
#include <set>
#include <string_view>

#include "registry/dependencies.h"
#include "registry/error.h"
#include "registry/files.h"

namespace mayfly::registry {
namespace {

namespace fs = std::filesystem;

std::string_view trimmed(std::string_view line) {
  while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
  while (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r'))
    line.remove_suffix(1);
  return line;
}

/// The value of an option of a requirements file, in the forms that pip takes: "-r x", "-rx", "--requirement
/// x",
/// "--requirement=x".
std::string_view option_value(std::string_view line, std::string_view brief, std::string_view full) {
  if (line.starts_with(full)) {
    line.remove_prefix(full.size());
    if (line.starts_with('=') || line.starts_with(' ')) return trimmed(line.substr(1));
    return {};
  }
  return line.starts_with(brief) ? trimmed(line.substr(brief.size())) : std::string_view();
}

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
    auto text = read_file(root_ / file);
    if (!text) return propagate(text);
    requirements_.text += "# " + file.string() + "\n" + *text + "\n";
    for (std::string_view rest = *text; !rest.empty();) {
      const auto line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(rest.size(), line.size() + 1));
      if (auto done = look_at(trimmed(line), file.parent_path()); !done) return done;
    }
    return {};
  }

 private:
  static Result<void> refuse(const fs::path& file, const std::string& why) {
    auto error = fail(RegistryErrc::bad_config, "the requirements file " + file.string() + " " + why);
    error.error().with("file", file.string());
    return error;
  }

  Result<void> look_at(std::string_view line, const fs::path& folder) {
    if (line.empty() || line.starts_with('#')) return {};
    for (const auto& [brief, full] : {std::pair("-r", "--requirement"), std::pair("-c", "--constraint")})
      if (const auto name = option_value(line, brief, full); !name.empty() && !name.contains("://"))
        return read((folder / name).lexically_normal());
    if (line.starts_with("-e") || line.starts_with("--editable") || line.starts_with('.') ||
        line.contains("file:"))
      requirements_.local = true;
    return {};
  }

  const fs::path& root_;
  Requirements& requirements_;
  std::set<std::string> read_;
};

Result<Requirements> read_pyproject(const fs::path& root, const fs::path& file) {
  Requirements requirements;
  requirements.folder = file.parent_path();
  auto text = read_file(root / file);
  if (!text) return propagate(text);
  toml::table table;
  try {
    table = toml::parse(*text);
  } catch (const toml::parse_error& error) {
    auto bad = fail(RegistryErrc::bad_config, "pyproject.toml: " + std::string(error.description()));
    bad.error().with("file", file.string()).with("line", std::to_string(error.source().begin.line));
    return bad;
  }
  if (const auto* list = table["project"]["dependencies"].as_array()) {
    for (const auto& item : *list)
      if (const auto line = item.value<std::string>()) requirements.lines.push_back(*line);
  } else if (table["tool"]["poetry"]["dependencies"].is_table()) {
    requirements.warning =
        "the dependencies in pyproject.toml are Poetry's own, and were not installed: name them in [project] "
        "dependencies, or write them to requirements.txt ('poetry export')";
  }
  for (const auto& line : requirements.lines) requirements.text += line + "\n";
  return requirements;
}

}  // namespace

bool Requirements::empty() const {
  if (file.empty()) return lines.empty();
  for (std::string_view rest = text; !rest.empty();) {
    const auto line = trimmed(rest.substr(0, rest.find('\n')));
    rest.remove_prefix(
        std::min(rest.size(), rest.find('\n') == std::string_view::npos ? rest.size() : rest.find('\n') + 1));
    if (!line.empty() && !line.starts_with('#')) return false;
  }
  return true;
}

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
  return requirements;
}

}  // namespace mayfly::registry
