// What this host gives to a sandbox.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mayfly::sandbox {

/// One layer of the sandbox, for people and for `require`.
struct Layer {
  std::string name;  ///< "namespaces", "users", "seccomp", "landlock"; of limits: limit_layers.h
  bool there = false;
  std::string reason;  ///< why it is not there, and what helps; or what it is
};

/// Tries each once. Forks: before the process has a second thread.
[[nodiscard]] std::vector<Layer> probe_layers();

[[nodiscard]] bool has_layer(const std::vector<Layer>& layers, std::string_view name);

/// Why something that wants this layer must not start; nothing if the layer is there. For people.
[[nodiscard]] std::optional<std::string> lacks(const std::vector<Layer>& layers, std::string_view name);

}  // namespace mayfly::sandbox
