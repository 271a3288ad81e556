// Routes of a version against what other functions answer to: looked at when it is deployed.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "registry/function.h"

namespace mayfly::router {

/// Refuses (bad_route) what is no pattern; a pattern that is another function's already, whatever its
/// placeholders are called; and one for any host that begins with another function's name: /NAME is that
/// function's own address. `others` are all functions; the version's own may be among them.
[[nodiscard]] Result<void> check_routes(const registry::Version& version,
                                        const std::vector<registry::FunctionPtr>& others);

/// What its deployer should know: its routes hide the addresses of others ("/*" does), or a route of another
/// function hides its own.
[[nodiscard]] std::vector<std::string> route_warnings(const registry::Version& version,
                                                      const std::vector<registry::FunctionPtr>& others);

}  // namespace mayfly::router
