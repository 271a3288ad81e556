#include "registry/tool.h"

#include <gnu/libc-version.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "base/child.h"
#include "base/text.h"
#include "registry/error.h"
#include "registry/files.h"
#include "sandbox/cgroups.h"
#include "sandbox/confined.h"

namespace mayfly::registry {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> homes() {
  std::vector<fs::path> folders{"/root"};
  std::error_code error;
  for (fs::directory_iterator it("/home", error), end; !error && it != end; it.increment(error))
    folders.push_back(it->path());
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home != '\0') folders.push_back(fs::weakly_canonical(home, error));
  return folders;
}

void warn_once(std::vector<std::string>& warnings, const std::string& text) {
  if (std::ranges::find(warnings, text) == warnings.end()) warnings.push_back(text);
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool begins_with(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() &&
         std::ranges::equal(text.substr(0, prefix.size()), prefix, {}, lower, lower);
}

/// The lines of a tool's output that say what was wrong, at most this many.
std::string telling_lines(std::string_view text, std::string_view begin) {
  constexpr int kMost = 8;
  std::string lines;
  int count = 0;
  while (!text.empty() && count < kMost) {
    auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (!line.starts_with(begin)) continue;
    line.remove_prefix(begin.size());
    while (line.starts_with(' ')) line.remove_prefix(1);
    if (line.empty() || line.starts_with("A complete log of this run")) continue;
    lines += (lines.empty() ? "" : "\n") + std::string(line.substr(0, 500));
    ++count;
  }
  return lines;
}

/// What a tool said before it was ended, for the sentence that says so; empty if it said nothing.
std::string last_words(std::string_view tail) {
  tail = trimmed(tail);
  const auto line = tail.substr(tail.find_last_of('\n') + 1);
  return line.empty() ? "" : "; its last words: " + std::string(beginning_of(line, 500));
}

/// The control group of one tool, where the host has them.
class ToolGroup {
 public:
  ToolGroup(const DeployOptions& options, sandbox::ConfinedCommand& command)
      : memory_(options.build_memory), processes_(command.max_processes) {
    if (options.groups != nullptr)
      if (auto joined = join(*options.groups); !joined) {
        missing_ = joined.error().message;
        group_.reset();
        joins_.clear();
      }
    for (const auto& each : joins_) command.groups.push_back(each.get());
    // Of each process: all that can be limited without a group, and what a group without memory leaves out.
    if (!has(sandbox::CgroupPart::memory)) command.max_memory = memory_;
    // The kernel looks at this limit first, and then nobody knows what it was that failed.
    if (has(sandbox::CgroupPart::processes)) command.max_processes = 2 * processes_;
  }

  /// Why it is in no group though the host has some; empty: it is, or there are none.
  [[nodiscard]] const std::string& missing() const { return missing_; }

  /// Of a tool that has failed, if that is why.
  [[nodiscard]] std::optional<Error> exceeded(const std::string& tool) const {
    if (group_ && group_->memory_kills() > 0)
      return over(tool + " needed more than " + size_in_words(memory_) + " of memory", format_size(memory_),
                  " (serve --build-memory)");
    const auto most = std::to_string(processes_);
    if (group_ && group_->process_refusals() > 0)
      return over(tool + " needed more than " + most + " processes and threads", most, "");
    return std::nullopt;
  }

 private:
  Result<void> join(sandbox::Cgroups& groups) {
    // Requests come before builds: a build weighs a tenth of a function.
    constexpr unsigned kWeight = 10;
    auto made = groups.make("build");
    if (!made) return propagate(made);
    group_ = std::move(*made);
    for (auto&& done :
         {group_->limit_memory(memory_), group_->limit_processes(processes_), group_->weigh_cpu(kWeight)})
      if (!done) return done;
    auto joins = group_->joins();
    if (!joins) return propagate(joins);
    joins_ = std::move(*joins);
    return {};
  }

  [[nodiscard]] bool has(sandbox::CgroupPart part) const { return group_ && group_->has(part); }

  static Error over(const std::string& what, const std::string& limit, const std::string& option) {
    Error error{RegistryErrc::build_failed, what + ", the limit of a step of a build" + option, {}};
    return error.with("limit", limit);
  }

  std::uint64_t memory_;
  std::uint64_t processes_;
  std::unique_ptr<sandbox::Cgroup> group_;
  std::vector<Fd> joins_;
  std::string missing_;
};

}  // namespace

Result<ToolResult> run_tool(BuildContext& context, const ToolRun& run) {
  sandbox::ConfinedCommand command;
  command.argv = run.argv;
  command.environment = run.environment;
  command.folder = run.folder;
  command.writable = run.writable;
  command.caches = run.caches;
  command.visible = run.visible;
  command.hidden = {context.layers.data()};
  if (!context.options.caches.empty()) command.hidden.push_back(context.options.caches);
  command.network = run.network;
  command.limit = context.options.build_limit * run.limits;
  command.stop = context.options.stop;
  command.output = context.output;
  command.min_free = context.options.min_free;
  const ToolGroup group(context.options, command);
  if (!group.missing().empty())
    warn_once(context.built.warnings,
              run.name + " ran without a control group of its own: " + group.missing());
  auto ran = sandbox::run_confined(command);
  if (!ran && ran.error().code == std::errc::filename_too_long) return left_by_build(ran.error());
  if (!ran) return fail(RegistryErrc::build_failed, run.name + " cannot be run: " + ran.error().message);
  for (const auto& reason : ran->degraded)
    warn_once(context.built.warnings, run.name + " ran less confined than it should: " + reason);
  if (ran->timed_out) {
    const auto limit = format_duration(command.limit);
    auto error = fail(RegistryErrc::build_failed, run.name + " took longer than " + limit +
                                                      ", the limit of a step of a build (mayfly serve "
                                                      "--build-limit), and was ended" +
                                                      last_words(ran->tail));
    error.error().with("limit", limit).with("output", ran->tail);
    return error;
  }
  if (ran->disk_full) {
    const auto limit = format_size(command.min_free);
    auto error = fail(RegistryErrc::build_failed,
                      run.name + " was ended: less than " + limit + " was left of a disk that it writes to");
    error.error().with("limit", limit).with("output", ran->tail);
    return error;
  }
  if (auto exceeded = ran->status.success() ? std::nullopt : group.exceeded(run.name)) {
    exceeded->with("output", ran->tail);
    return std::unexpected(std::move(*exceeded));
  }
  return ToolResult{ran->status.success(), std::move(ran->tail), ran->status.text()};
}

std::unexpected<Error> tool_failed(const std::string& what, const ToolResult& result,
                                   std::string_view lines_with) {
  const auto lines = telling_lines(result.tail, lines_with);
  auto error = fail(RegistryErrc::build_failed,
                    what + (lines.empty() ? ": it ended with " + result.status : ":\n" + lines));
  error.error().with("output", result.tail);
  return error;
}

fs::path downloads(const BuildContext& context, const std::string& tool) {
  const auto& caches = context.options.caches;
  return (caches.empty() ? context.layers.data() / "cache" : caches) / tool;
}

std::vector<std::string> network_environment() {
  constexpr std::array<const char*, 12> kNames{"HTTP_PROXY",   "HTTPS_PROXY",         "NO_PROXY",
                                               "http_proxy",   "https_proxy",         "no_proxy",
                                               "ALL_PROXY",    "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE",
                                               "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",  "CURL_CA_BUNDLE"};
  std::vector<std::string> result;
  for (const char* name : kNames)
    if (const char* value = std::getenv(name)) result.push_back(std::string(name) + "=" + value);
  return result;
}

std::vector<std::string> variables_with(std::string_view prefix) {
  std::vector<std::string> result;
  for (char** variable = ::environ; *variable != nullptr; ++variable)
    if (begins_with(*variable, prefix)) result.emplace_back(*variable);
  return result;
}

std::vector<fs::path> toolchain_of(const fs::path& program) {
  std::vector<fs::path> result;
  std::error_code error;
  for (const auto& path : {program, fs::canonical(program, error)}) {
    for (const auto& home : homes()) {
      const auto inside = path.lexically_relative(home);
      if (inside.empty() || inside.native().starts_with("..")) continue;
      result.push_back(home / *inside.begin());
    }
  }
  return result;
}

std::string identity_of(const fs::path& program) {
  std::error_code error;
  const auto path = fs::canonical(program, error);
  struct stat status{};
  if (error || ::stat(path.c_str(), &status) != 0) return program.string();
  return path.string() + " " + std::to_string(status.st_size) + " " + std::to_string(status.st_mtim.tv_sec) +
         "." + std::to_string(status.st_mtim.tv_nsec);
}

std::string compiler_identity(const fs::path& compiler) {
  if (compiler.empty()) return {};
  static std::mutex mutex;
  static std::map<std::string, std::vector<fs::path>> known;  // by identity; few, and no more than compilers
  auto identity = identity_of(compiler);
  const std::lock_guard lock(mutex);
  const auto [found, added] = known.try_emplace(identity);
  if (added) {
    for (const char* part : {"cc1", "cc1plus", "as", "ld"}) {
      const auto ran = mayfly::run({compiler, std::string("-print-prog-name=") + part},
                                   {.deadline = std::chrono::seconds(5), .max_output = 4096});
      if (!ran || !ran->status.success()) continue;
      fs::path program(ran->output.substr(0, ran->output.find('\n')));
      // A name alone is to be found in PATH.
      if (!program.is_absolute()) program = registry::find_program({}, program.string());
      if (!program.empty()) found->second.push_back(std::move(program));
    }
  }
  for (const auto& program : found->second) identity += "\n" + identity_of(program);
  return identity;
}

std::string platform_identity() {
  utsname name{};
  ::uname(&name);
  return std::string(name.sysname) + " " + name.machine + " glibc " + ::gnu_get_libc_version();
}

fs::path find_program(const fs::path& first, const std::string& name) {
  const char* path = std::getenv("PATH");
  const auto folders = first.string() + ":" + (path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin");
  for (std::string_view rest = folders; !rest.empty();) {
    const auto folder = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), folder.size() + 1));
    if (folder.empty()) continue;
    if (auto file = fs::path(folder) / name; ::access(file.c_str(), X_OK) == 0) return file;
  }
  return {};
}

}  // namespace mayfly::registry
