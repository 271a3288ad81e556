// What is to be said of a deploy besides its result.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace mayfly::registry {

/// The error of a deploy that failed with what was to be said of it, which often explains the failure: the
/// detail `warnings`, a line each.
[[nodiscard]] std::unexpected<Error> with_warnings(Error error, const std::vector<std::string>& warnings);

}  // namespace mayfly::registry
