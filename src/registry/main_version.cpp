#include "registry/main_version.h"

#include <algorithm>
#include <utility>

namespace mayfly::registry {

const VersionPtr& main_version(const Function& function) {
  static const VersionPtr kNone;
  const auto most = std::ranges::max_element(function.traffic.weights, {},
                                             [](const auto& w) { return std::pair(w.second, w.first); });
  if (most == function.traffic.weights.end()) return kNone;
  const auto found = function.versions.find(most->first);
  return found == function.versions.end() ? kNone : found->second;
}

}  // namespace mayfly::registry
