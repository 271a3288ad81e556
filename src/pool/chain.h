// Which functions a request goes through: decorators from outside to inside, and what they are around.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "registry/function.h"

namespace mayfly::pool {

/// A place in a chain: `at` says who has the invocation. Immutable but for that, so it may be on several
/// shards. Without links: one function, that nothing is wrapped around.
struct Chain {
  using Links = std::vector<registry::VersionPtr>;
  std::shared_ptr<const Links> links{};
  std::uint32_t at = 0;

  [[nodiscard]] bool has_next() const { return links && at + 1 < links->size(); }
};

}  // namespace mayfly::pool
