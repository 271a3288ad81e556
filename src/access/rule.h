// What a version of a function asks of those who call it.
#pragma once

#include <optional>

#include "base/rate.h"
#include "registry/function.h"

namespace mayfly::access {

struct Rule {
  registry::Access access = registry::Access::everyone;
  std::optional<Rate> limit{};  ///< of all calls to the function together
  registry::JwtConfig jwt{};    ///< with Access::jwt

  /// Nothing is asked: admit() would let everyone in.
  [[nodiscard]] bool open() const { return access == registry::Access::everyone && !limit; }
};

/// Everyone whom `then` lets in, `now` lets in. Rates are not looked at.
[[nodiscard]] bool covers(const Rule& now, const Rule& then);

/// The rule for a version. What was protected since must not stay open under the number of an older version,
/// so the one that most of the traffic goes to counts, as it does for routes: in the place of what asks
/// nothing; and for a version without traffic in the place of what would let in somebody whom no version that
/// serves lets in, and with the lower of both rates. Its own scopes are wanted beside those.
[[nodiscard]] Rule rule_of(const registry::Function& function, const registry::Version& version);

}  // namespace mayfly::access
