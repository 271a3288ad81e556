// What an instance is born with. A pool makes it ahead of need, so that a request waits for the fork alone.
#pragma once

#include <optional>

#include "base/fd.h"
#include "pool/boxes.h"
#include "registry/function.h"
#include "template/fork_client.h"
#include "wire/offers.h"

namespace mayfly::pool {

struct Belongings {
  FdPair data;
  FdPair log;
  tmpl::Payload payload{};               ///< with its /tmp and the file of its page of offers, if it has them
  std::optional<wire::Offers> offers{};  ///< the daemon's side of that page
};

/// For one instance of the version, forked from its template. `boxes` may be null: then it has no /tmp of its
/// own. `serial`: it runs one invocation after another, and has a page of offers. Error:
/// PoolErrc::fork_failed.
[[nodiscard]] Result<Belongings> make_belongings(const registry::Version& version, Boxes* boxes, bool serial);

}  // namespace mayfly::pool
