#include "registry/node_terms.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <regex>

#include "base/ascii.h"
#include "base/regular_file.h"
#include "registry/json_text.h"

namespace mayfly::registry {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::array<const char*, 4> kDependencies{"dependencies", "devDependencies", "optionalDependencies",
                                                   "peerDependencies"};

/// They change what is written, printed, or which versions are taken; not where from, or what is run.
constexpr std::array<std::string_view, 22> kHarmless{"audit",
                                                     "color",
                                                     "engine-strict",
                                                     "fund",
                                                     "include",
                                                     "install-strategy",
                                                     "legacy-bundling",
                                                     "legacy-peer-deps",
                                                     "lockfile-version",
                                                     "loglevel",
                                                     "omit",
                                                     "optional",
                                                     "package-lock",
                                                     "prefer-dedupe",
                                                     "production",
                                                     "progress",
                                                     "save",
                                                     "save-dev",
                                                     "save-exact",
                                                     "save-prefix",
                                                     "strict-peer-deps",
                                                     "update-notifier"};

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::string_view take_line(std::string_view& text) {
  const auto end = text.find('\n');
  const auto line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

/// A version, a range, a tag, or those of a package of another name: nothing that names a place.
bool is_of_registry(const json& spec) {
  static const std::regex kPlain(
      R"((npm:(@[A-Za-z0-9._~-]+/)?[A-Za-z0-9._~-]+(@|$))?[A-Za-z0-9.*^~<>=|+\s-]*)");
  static const std::regex kArchive(R"(\.(tgz|tar\.gz|tar)$)", std::regex::icase);
  if (!spec.is_string()) return false;
  const auto& text = spec.get_ref<const std::string&>();
  return text.size() < 1024 && std::regex_match(text, kPlain) && !std::regex_search(text, kArchive);
}

bool is_of_deployment(const json& spec) {
  if (!spec.is_string()) return false;
  const auto& text = spec.get_ref<const std::string&>();
  return text.starts_with("file:") || text.starts_with("link:") || text.starts_with("workspace:");
}

/// An archive at a URL, which npm keeps under that URL and its digest. Names of hosts of repositories make
/// it one of a repository for npm.
bool is_archive_url(const std::string& resolved) {
  const auto low = lower(resolved);
  // A scope has an @ in the path; one before the path would hide the host.
  static const std::regex kArchive(R"(https?://([^/@#?]+)/[^#?]*\.tgz)");
  std::smatch match;
  if (low.size() > 1024 || !std::regex_match(low, match, kArchive)) return false;
  constexpr std::array<std::string_view, 4> kHosts{"github.com", "gitlab.com", "bitbucket.org", "git.sr.ht"};
  const auto host = match[1].str();
  return std::ranges::none_of(kHosts, [&](auto known) { return host.contains(known); });
}

/// The first dependency that names a place outside of registry and deployment.
std::string foreign_dependency(const json& package) {
  for (const char* key : kDependencies) {
    const auto specs = package.find(key);
    if (specs == package.end() || !specs->is_object()) continue;
    for (const auto& [name, spec] : specs->items())
      if (!is_of_registry(spec) && !is_of_deployment(spec)) return name;
  }
  return {};
}

/// Overrides nest by the names of packages.
std::string foreign_override(const json& overrides) {
  if (!overrides.is_object()) return {};
  for (const auto& [name, value] : overrides.items()) {
    if (value.is_object()) {
      if (auto found = foreign_override(value); !found.empty()) return found;
    } else if (const bool reference =
                   value.is_string() && value.get_ref<const std::string&>().starts_with('$');
               !reference && !is_of_registry(value)) {
      return name;
    }
  }
  return {};
}

std::string foreign_package(const std::string& name) {
  return name.empty() ? "" : "'" + name + "' does not come from the registry";
}

std::string terms_of_lock(const json& lock) {
  const auto packages = lock.find("packages");
  if (packages == lock.end() || !packages->is_object())
    return "its lock file has an old form (lockfileVersion 1)";
  for (const auto& [path, package] : packages->items()) {
    if (!package.is_object()) return "its lock file was not understood";
    if (package.value("hasShrinkwrap", json(false)) != json(false))
      return "'" + path + "' brings a lock file along";
    if (const auto name = foreign_dependency(package); !name.empty()) return foreign_package(name);
    const auto resolved = package.find("resolved");
    if (resolved == package.end() || package.value("link", json(false)) == json(true)) continue;
    if (!resolved->is_string() || !is_archive_url(resolved->get_ref<const std::string&>()))
      return foreign_package(path);
  }
  return {};
}

/// The packages of the deployment have dependencies as well.
std::string terms_of_local(const fs::path& root, const NodeManifest& manifest) {
  for (const auto& path : manifest.local) {
    std::error_code error;
    if (!fs::is_directory(root / path, error)) return "'" + path.string() + "' is an archive of its own";
    const auto text = read_regular_file(root / path / "package.json");
    const auto package = text ? parse_json(*text) : json();
    if (!package.is_object()) return "'" + path.string() + "' has no package.json";
    if (const auto name = foreign_dependency(package); !name.empty()) return foreign_package(name);
  }
  return {};
}

/// The registry as .npmrc names what belongs to it: without its scheme.
std::string token_key(std::string_view registry) {
  const auto begin = registry.find("//");
  if (begin == std::string_view::npos) return {};
  std::string key(registry.substr(begin));
  return key + (key.ends_with('/') ? "" : "/") + ":_authToken";
}

std::string registry_of_server() {
  for (const char* name : {"npm_config_registry", "NPM_CONFIG_REGISTRY"})
    if (const char* value = std::getenv(name)) return value;
  return "https://registry.npmjs.org/";
}

}  // namespace

std::string npmrc_terms(std::string_view npmrc, std::string_view registry) {
  while (!npmrc.empty()) {
    const auto line = trimmed(take_line(npmrc));
    if (line.empty() || line.starts_with('#') || line.starts_with(';')) continue;
    const auto equals = std::min(line.find('='), line.size());
    const auto key = trimmed(line.substr(0, equals));
    const auto value = trimmed(line.substr(std::min(equals + 1, line.size())));
    if (key == token_key(registry) && value == "${NPM_TOKEN}") continue;
    const bool plain = !value.contains("${") && !line.contains('\r') && !line.starts_with('[');
    if (plain && std::ranges::find(kHarmless, key) != kHarmless.end()) continue;
    return std::string(key.substr(0, 80));
  }
  return {};
}

bool is_credential(std::string_view setting) {
  const auto low = lower(setting);
  const auto name = std::string_view(low).substr(0, low.find('='));
  constexpr std::array<std::string_view, 8> kMarks{"auth", "token", "password", "username",
                                                   "otp",  "key",   "cert",     "//"};
  if (std::ranges::any_of(kMarks, [&](auto mark) { return name.contains(mark); })) return true;
  const auto scheme = low.find("://");
  return scheme != std::string::npos && low.find('@', scheme) != std::string::npos;
}

std::string without_credentials(std::string_view npmrc) {
  std::string result;
  while (!npmrc.empty())
    if (const auto line = take_line(npmrc); !is_credential(line) && !line.contains("${"))
      result.append(line) += '\n';
  return result;
}

std::string own_terms(const fs::path& root, const NodeManifest& manifest, const json& lock) {
  if (const auto key = npmrc_terms(manifest.npmrc, registry_of_server()); !key.empty())
    return "its .npmrc sets '" + key + "'";
  if (const auto name = foreign_dependency(manifest.package); !name.empty()) return foreign_package(name);
  if (const auto overrides = manifest.package.find("overrides"); overrides != manifest.package.end())
    if (const auto name = foreign_override(*overrides); !name.empty()) return foreign_package(name);
  if (manifest.lock_name.empty()) return "it has no lock file";
  if (auto terms = terms_of_lock(lock); !terms.empty()) return terms;
  return terms_of_local(root, manifest);
}

}  // namespace mayfly::registry
