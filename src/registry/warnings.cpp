#include "registry/warnings.h"

#include <algorithm>

namespace mayfly::registry {

std::unexpected<Error> with_warnings(Error error, const std::vector<std::string>& warnings) {
  std::string lines;
  for (auto warning : warnings) {
    std::ranges::replace(warning, '\n', ' ');
    lines += (lines.empty() ? "" : "\n") + warning;
  }
  if (!lines.empty()) error.with("warnings", lines);
  return std::unexpected(std::move(error));
}

}  // namespace mayfly::registry
