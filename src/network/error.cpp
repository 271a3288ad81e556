#include "network/error.h"

namespace mayfly::network {

std::error_code make_error_code(NetworkErrc code) {
  static const SlugCategory<NetworkErrc, 5> category(
      "network", {"bad-rule", "missing-tool", "refused", "stopped", "too-many"});
  return {static_cast<int>(code), category};
}

}  // namespace mayfly::network
