#include "daemon/prepare_sandbox.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>

#include "sandbox/own_root.h"

namespace mayfly::daemon {

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
  for (const auto& required : options.require) {
    if (sandbox::has_layer(layers, required)) continue;
    const auto found = std::ranges::find(layers, required, &sandbox::Layer::name);
    return fail(
        std::make_error_code(std::errc::operation_not_permitted),
        "--require " + required + ": " + (found == layers.end() ? "there is no such layer" : found->reason));
  }
  return layers;
}

}  // namespace mayfly::daemon
