#include "registry/wanted_version.h"

#include <toml++/toml.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/child.h"
#include "base/regular_file.h"
#include "base/text.h"
#include "registry/dependencies.h"
#include "registry/json_text.h"
#include "registry/version_range.h"

namespace mayfly::registry {
namespace {

struct Wanted {
  std::string range;
  std::string where;  ///< for people
};

/// The nearest file of this name; empty if there is none, or it cannot be read.
std::string text_of(const BuildContext& context, const std::string& name) {
  const auto file = nearest_file(context.root, context.built.entry, name);
  if (file.empty()) return {};
  return read_regular_file(context.root / file).value_or("");
}

Wanted by_engines(const BuildContext& context) {
  const auto package = parse_json(text_of(context, "package.json"));
  if (!package.is_object()) return {};
  const auto engines = package.find("engines");
  if (engines == package.end() || !engines->is_object()) return {};
  const auto node = engines->find("node");
  if (node == engines->end() || !node->is_string()) return {};
  return {node->get<std::string>(), "engines.node of package.json"};
}

Wanted by_pyproject(const BuildContext& context) {
  try {
    const auto table = toml::parse(text_of(context, "pyproject.toml"));
    return {table["project"]["requires-python"].value_or(std::string()), "requires-python of pyproject.toml"};
  } catch (const toml::parse_error&) {  // who reads the dependencies says so
    return {};
  }
}

/// "3.12", "3.12.4": of which the last number says nothing of what code may do.
Wanted by_python_version(const BuildContext& context) {
  const auto text = text_of(context, ".python-version");
  const auto line = trimmed(std::string_view(text).substr(0, text.find('\n')));
  const auto minor = line.find('.');
  if (minor == std::string_view::npos) return {};
  return {"==" + std::string(line.substr(0, line.find('.', minor + 1))), ".python-version"};
}

/// "3.11.7" of "Python 3.11.7", "20.1.0" of "v20.1.0"; empty if it does not say.
std::string version_of(const std::string& interpreter) {
  constexpr auto kPatience = std::chrono::seconds(10);
  RunOptions options;
  options.deadline = kPatience;
  const auto ran = run({interpreter, "--version"}, options);
  if (!ran || !ran->status.success()) return {};
  auto text = trimmed(ran->output);
  text.remove_prefix(std::min(text.find_first_of("0123456789"), text.size()));
  return std::string(text);
}

void warn(BuildContext& context, const char* language, const std::string& version, const Wanted& wanted) {
  if (wanted.range.empty() || is_in_range(version, wanted.range).value_or(true)) return;
  const auto range = wanted.range.starts_with("==") ? wanted.range.substr(2) : wanted.range;
  context.built.warnings.push_back(wanted.where + " asks for " + std::string(beginning_of(range, 80)) +
                                   ", and the function runs on " + language + " " + version +
                                   ": name another one (interpreter)");
}

}  // namespace

void warn_of_interpreter(BuildContext& context) {
  const auto runtime = context.built.runtime;
  if (context.interpreter.empty()) return;
  if (runtime != Runtime::node && runtime != Runtime::python) return;
  const auto wanted = runtime == Runtime::node
                          ? std::vector{by_engines(context)}
                          : std::vector{by_pyproject(context), by_python_version(context)};
  if (std::ranges::all_of(wanted, [](const Wanted& one) { return one.range.empty(); })) return;
  const auto version = version_of(context.interpreter);
  for (const auto& one : wanted) warn(context, runtime == Runtime::node ? "Node" : "Python", version, one);
}

}  // namespace mayfly::registry
