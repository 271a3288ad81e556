#include "registry/error.h"

namespace mayfly::registry {

std::error_code make_error_code(RegistryErrc code) {
  static const SlugCategory<RegistryErrc, 17> category(
      "registry",
      {"unknown-function", "unknown-version", "bad-name", "bad-config", "bad-traffic", "bad-archive",
       "unsafe-path", "too-large", "unsupported-source", "no-entry", "syntax-error", "missing-export",
       "init-failed", "build-failed", "version-in-use", "opens-access", "other-kind"});
  return {static_cast<int>(code), category};
}

}  // namespace mayfly::registry
