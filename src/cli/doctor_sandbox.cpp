#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <string>

#include "base/fd.h"
#include "base/pipe.h"
#include "base/reap.h"
#include "cli/doctor_checks.h"
#include "sandbox/limit_layers.h"
#include "sandbox/own_root.h"

namespace mayfly::cli {
namespace {

using nlohmann::json;

/// What a daemon that this user starts would find: it becomes something else for that, so a process of its
/// own looks.
[[noreturn]] void look_as_daemon(int answer) {
  json found = json::array();
  if (auto entered = sandbox::become_own_root(); !entered)
    found.push_back({{"name", "root"}, {"there", false}, {"reason", entered.error().message}});
  for (const auto& layer : sandbox::probe_layers())
    found.push_back({{"name", layer.name}, {"there", layer.there}, {"reason", layer.reason}});
  const auto text = found.dump(-1, ' ', false, json::error_handler_t::replace);
  (void)!::write(answer, text.data(), text.size());
  ::_exit(0);
}

std::string answer_of(Fd pipe) {
  std::string text;
  std::array<char, 4096> part;
  for (ssize_t got = 0; (got = ::read(pipe.get(), part.data(), part.size())) != 0;) {
    if (got > 0) text.append(part.data(), static_cast<std::size_t>(got));
    if (got < 0 && errno != EINTR) break;
  }
  return text;
}

Finding finding_of(const std::string& what, bool there, const std::string& reason) {
  if (there) return {what, Health::good, reason};
  return {what, Health::warning, "missing", reason};
}

}  // namespace

std::vector<Finding> check_sandbox() {
  auto pipe = make_pipe();
  if (!pipe) return {{"sandbox", Health::warning, "unknown", pipe.error().message}};
  Fd ours = std::move(pipe->read);
  Fd theirs = std::move(pipe->write);
  const pid_t pid = ::fork();
  if (pid == 0) look_as_daemon(theirs.get());
  theirs.reset();
  const auto layers = json::parse(answer_of(std::move(ours)), nullptr, false);
  if (pid > 0) (void)reap_child(pid);
  if (!layers.is_array()) return {{"sandbox", Health::warning, "unknown", "looking for it failed"}};
  std::vector<Finding> findings;
  for (const auto& layer : layers)
    findings.push_back(finding_of("sandbox: " + layer.value("name", ""), layer.value("there", false),
                                  layer.value("reason", "")));
  return findings;
}

std::vector<Finding> check_limits() {
  sandbox::CgroupOptions trial{sandbox::find_own_cgroups(), "doctor " + std::to_string(::getpid())};
  trial.pid = ::getpid();
  const auto groups = sandbox::Cgroups::open(trial);
  std::vector<Finding> findings;
  for (const auto& limit : sandbox::limit_layers(*groups))
    findings.push_back(finding_of("limits: " + limit.name, limit.there, limit.reason));
  groups->close(std::chrono::milliseconds(100));
  return findings;
}

}  // namespace mayfly::cli
