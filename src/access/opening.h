// Whether a change of traffic or of an alias would let in callers that what serves now refuses.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "registry/function.h"

namespace mayfly::access {

/// Refuses traffic with which somebody may call the function who may not now. Key and token stand side by
/// side, and so do tokens of different issuers; rates are not looked at. What counts for a version is what
/// counts for its callers: one that is public is guarded by the one that most of the traffic goes to
/// (rule_of()), so a small share for it opens nothing. Versions that are not there are left to the registry.
/// Error: registry::RegistryErrc::opens_access; details: key, serves, opens.
[[nodiscard]] Result<void> check_traffic(const registry::Function& function, const registry::Traffic& then);

/// The same for an alias that moves to version `number`; without traffic that one is guarded by those that
/// serve. A new alias opens nothing: the version answers under its number too.
[[nodiscard]] Result<void> check_alias(const registry::Function& function, const std::string& alias,
                                       std::uint32_t number);

}  // namespace mayfly::access
