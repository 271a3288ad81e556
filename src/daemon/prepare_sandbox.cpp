#include "daemon/prepare_sandbox.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <filesystem>

#include "sandbox/limit_layers.h"
#include "sandbox/own_root.h"

namespace mayfly::daemon {
namespace {

/// What `--require` names.
Result<void> require_layer(const std::vector<sandbox::Layer>& layers, const std::string& name) {
  if (const auto why = sandbox::lacks(layers, name))
    return fail(std::make_error_code(std::errc::operation_not_permitted), "--require " + name + ": " + *why);
  return {};
}

}  // namespace

Result<std::vector<sandbox::Layer>> prepare_sandbox(const cli::ServeOptions& options) {
  if (auto entered = sandbox::become_own_root(); !entered) {
    if (entered.error().code == std::errc::state_not_recoverable) return propagate(entered);
    spdlog::warn("no user namespace for the daemon: {}", entered.error().message);
  }
  auto layers = sandbox::probe_layers();
  if (!options.sandbox) {
    spdlog::warn(
        "THE SANDBOX IS OFF (--sandbox off): functions can read, change and end whatever this user can, "
        "other "
        "functions and this daemon among it. For comparisons only.");
    for (auto& layer : layers) layer = {layer.name, false, "switched off (--sandbox off)"};
  }
  for (const auto& layer : layers)
    if (!layer.there && options.sandbox) spdlog::warn("sandbox: no {}: {}", layer.name, layer.reason);
  if (options.sandbox && ::geteuid() == 0 && !sandbox::has_layer(layers, "namespaces"))
    return fail(std::make_error_code(std::errc::operation_not_permitted),
                "this host has no namespaces for functions, and they would be root on it: run as another "
                "user, or with "
                "--sandbox off");
  for (const auto& required : options.require)
    if (!sandbox::is_limit_layer(required))
      if (auto checked = require_layer(layers, required); !checked) return propagate(checked);
  return layers;
}

/// What it means for functions that a part of control groups is not there.
static std::string_view what_is_missing(sandbox::CgroupPart part) {
  switch (part) {
    case sandbox::CgroupPart::memory:
      return "no control group limits memory";
    case sandbox::CgroupPart::cpu:
      return "no control group limits the use of the processor";
    case sandbox::CgroupPart::processes:
      return "no control group limits processes";
    case sandbox::CgroupPart::control:
      return "no control group can end all processes of a function at once (they are ended one by one)";
    case sandbox::CgroupPart::cpu_time:
      break;
  }
  return "no control group counts what functions use of the processor";
}

Result<std::shared_ptr<sandbox::Cgroups>> open_groups(const cli::ServeOptions& options) {
  sandbox::CgroupOptions wanted;
  if (options.cgroups) wanted.host = sandbox::find_own_cgroups();
  wanted.folder = std::filesystem::absolute(options.data).lexically_normal().string();
  wanted.pid = ::getpid();
  auto groups = sandbox::Cgroups::open(wanted);
  for (const auto& missing : groups->missing())
    spdlog::warn("{}: {}", what_is_missing(missing.part), missing.why);
  for (const auto& required : options.require)
    if (sandbox::is_limit_layer(required))
      if (auto checked = require_layer(sandbox::limit_layers(*groups), required); !checked)
        return propagate(checked);
  return groups;
}

}  // namespace mayfly::daemon
