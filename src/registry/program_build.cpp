#include "registry/program_build.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <iterator>
#include <regex>

#include "base/remove_tree.h"
#include "registry/error.h"

namespace mayfly::registry {
namespace {

namespace fs = std::filesystem;

/// Compiling takes longer than installing.
constexpr int kLimits = 2;
/// Of the daemon's environment: where Go's modules come from.
constexpr std::array kPassedOn{"GOPROXY", "GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOSUMDB", "GOINSECURE"};

std::string path_with(const fs::path& folder) {
  const char* path = std::getenv("PATH");
  return "PATH=" + folder.string() + ":" + (path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin");
}

std::unexpected<Error> failure(const std::string& name, const ToolResult& result) {
  const auto complaint = first_complaint(result.tail);
  const auto code = complaint.file.empty() ? RegistryErrc::build_failed : RegistryErrc::syntax_error;
  const auto part = telling_part(result.tail);
  auto error = fail(code, name + " failed (" + result.status + ")" + (part.empty() ? "" : ":\n" + part));
  if (!complaint.file.empty())
    error.error().with("file", complaint.file).with("line", complaint.line).with("column", complaint.column);
  error.error().with("output", result.tail);
  return error;
}

}  // namespace

Result<void> ProgramBuild::run(ToolRun step) const {
  step.limits = kLimits;
  step.environment.push_back(path_with(fs::path(step.argv.front()).parent_path()));
  for (const char* fixed : {"HOME=/tmp", "LC_ALL=C", "CCACHE_DISABLE=1"})
    step.environment.emplace_back(fixed);
  std::ranges::move(network_environment(), std::back_inserter(step.environment));
  for (const char* variable : kPassedOn)
    if (const char* value = std::getenv(variable))
      step.environment.push_back(std::string(variable) + "=" + value);
  auto ran = run_tool(context, step);
  if (!ran) return propagate(ran);
  if (!ran->success) return failure(step.name, *ran);
  return {};
}

fs::path find_toolchain_program(const std::string& name, const std::vector<fs::path>& folders) {
  auto found = find_program({}, name);
  for (const auto& folder : folders)
    if (found.empty() && ::access((folder / name).c_str(), X_OK) == 0) found = folder / name;
  return found;
}

fs::path home() {
  const char* value = std::getenv("HOME");
  return value != nullptr ? value : "";
}

std::unexpected<Error> no_tool(const std::string& what, const std::string& package) {
  return fail(RegistryErrc::build_failed, what + " was not found on the server: apt-get install " + package);
}

Result<void> make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return fail_errno("make " + folder.string(), error.value());
  return {};
}

void keep_newest(const fs::path& folder, std::size_t count) {
  std::vector<std::pair<fs::file_time_type, fs::path>> entries;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    entries.emplace_back(entry.last_write_time(ignored), entry.path());
  std::ranges::sort(entries, std::greater());
  for (std::size_t i = count; i < entries.size(); ++i) (void)remove_tree(entries[i].second);
}

Complaint first_complaint(std::string_view output) {
  static const std::regex kGo(R"((?:\./)?([^\s:]+\.go):(\d+):(?:(\d+):)?)");
  static const std::regex kRust(R"(\s*--> ([^\s:]+):(\d+):(\d+))");
  constexpr std::size_t kLine = 2000;  // std::regex takes stack for each character
  for (const auto* pattern : {&kGo, &kRust}) {
    for (auto rest = output; !rest.empty();) {
      const auto line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(rest.size(), line.size() + 1));
      std::match_results<std::string_view::const_iterator> match;
      if (line.size() <= kLine && std::regex_search(line.begin(), line.end(), match, *pattern,
                                                    std::regex_constants::match_continuous))
        return {match[1].str(), match[2].str(), match[3].str()};
    }
  }
  return {};
}

std::string telling_part(std::string_view output) {
  constexpr int kMost = 30;
  static const std::regex kProgress(
      R"(^\s*(go: downloading|Compiling|Downloaded|Downloading|Updating|Locking|Adding|Checking|Blocking|Fresh)\b.*)");
  std::string part;
  for (int lines = 0; !output.empty() && lines < kMost;) {
    const std::string line(output.substr(0, output.find('\n')));
    output.remove_prefix(std::min(output.size(), line.size() + 1));
    if (line.size() > 1000 || std::regex_match(line, kProgress)) continue;
    if (line.empty() && part.empty()) continue;
    part += (part.empty() ? "" : "\n") + line;
    ++lines;
  }
  return part;
}

}  // namespace mayfly::registry
