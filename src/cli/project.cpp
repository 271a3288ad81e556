#include "cli/project.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/text.h"
#include "cli/error.h"
#include "cli/input.h"
#include "cli/toml_file.h"

namespace mayfly::cli {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxName = 63;

/// The file's name up to its first dot, so that "site.tar.gz" is "site".
std::string stem(const fs::path& file) {
  const auto name = file.filename().string();
  return name.substr(0, name.find('.', 1));
}

/// "name" and "main" of package.json, where they are strings.
nlohmann::json package_json(const fs::path& folder) {
  auto text = read_file(folder / "package.json");
  auto document = text ? nlohmann::json::parse(*text, nullptr, false) : nlohmann::json();
  nlohmann::json result = {{"name", ""}, {"main", ""}};
  for (const char* key : {"name", "main"})
    if (document.is_object() && document.contains(key) && document[key].is_string())
      result[key] = document[key];
  return result;
}

Result<void> read_configuration(Project& project, const std::string& text) {
  const auto parsed = parse_toml(text, "mayfly.toml");
  if (!parsed) return std::unexpected(parsed.error());
  if (const auto* functions = (*parsed)["functions"].as_table()) {
    for (const auto& [key, value] : *functions) {
      project.functions.emplace_back(key.str());
      if (const auto* function = value.as_table())
        if (const auto source = (*function)["source"].value<std::string>())
          project.sources.push_back(fs::path(*source).lexically_normal().string());
    }
  }
  if (const auto* upstreams = (*parsed)["upstreams"].as_table())
    for (const auto& [key, value] : *upstreams) project.functions.emplace_back(key.str());
  if (const auto* pipelines = (*parsed)["pipelines"].as_table())
    for (const auto& [key, value] : *pipelines) {
      const auto* pipeline = value.as_table();
      if (pipeline == nullptr)
        return fail(CliErrc::usage, "mayfly.toml: write [pipelines." + std::string(key.str()) + "]");
      std::ostringstream json;
      json << toml::json_formatter(*pipeline);
      project.pipelines.emplace_back(key.str(), json.str());
    }
  return {};
}

Result<void> choose(Project& project, const std::string& name) {
  if (name.empty()) return {};
  if (project.functions.size() > 1 && std::ranges::find(project.functions, name) == project.functions.end()) {
    const std::vector<std::string_view> names(project.functions.begin(), project.functions.end());
    return fail(CliErrc::usage, "mayfly.toml has no function '" + name + "'" + did_you_mean(name, names));
  }
  // A single function may be deployed under any name.
  project.functions = {name};
  project.pipelines.clear();
  return {};
}

}  // namespace

std::string function_name(std::string_view text) {
  if (text.starts_with('@')) text.remove_prefix(std::min(text.find('/') + 1, text.size()));  // "@scope/name"
  std::string name;
  for (const char c : text.substr(0, kMaxName)) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_')
      name += c;
    else
      name += c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : '-';
  }
  name.erase(0, std::min(name.find_first_not_of("-_"), name.size()));
  name.erase(std::min(name.find_last_not_of("-_") + 1, name.size()));
  return name;
}

Result<Project> find_project(const fs::path& path, const std::string& name) {
  std::error_code error;
  const auto status = fs::status(path, error);
  if (!fs::exists(status)) return fail(CliErrc::usage, "there is no file or folder " + path.string());
  Project project{.path = path, .folder = fs::is_directory(status)};
  if (project.folder) {
    if (auto text = read_file(path / "mayfly.toml")) {
      auto read = read_configuration(project, *text);
      if (!read) return propagate(read);
    }
    const auto package = package_json(path);
    if (const auto main = package["main"].get<std::string>(); !main.empty())
      project.sources.push_back(fs::path(main).lexically_normal().string());
    if (project.functions.empty() && project.pipelines.empty()) {
      auto found = function_name(package["name"].get<std::string>());
      if (found.empty()) found = function_name(fs::canonical(path, error).filename().string());
      project.functions = {found};
    }
  } else {
    project.functions = {function_name(stem(path))};
  }
  auto chosen = choose(project, name);
  if (!chosen) return propagate(chosen);
  if (!project.functions.empty() && project.functions.front().empty())
    return fail(CliErrc::usage, "no name can be made of " + path.string() + ": give one with --name");
  return project;
}

}  // namespace mayfly::cli
