// What confines the processes of a version; made by whoever wires the platform (daemon/boxes.h).
#pragma once

#include <functional>
#include <memory>

#include "network/networks.h"
#include "registry/function.h"
#include "template/fork_client.h"

namespace mayfly::pool {

/// The way out of a version's processes, given back with its last owner. Null: it has none, or needs none.
using NetworkPtr = std::shared_ptr<const network::OutboundNetwork>;

/// Called on every shard's thread, for each template and each instance: does not block.
class Boxes {
 public:
  virtual ~Boxes() = default;
  /// What box_of() is to be given. `then` is called once: at once, or by another thread after some
  /// milliseconds.
  virtual void network_for(const registry::Version& version, std::function<void(NetworkPtr)> then) = 0;
  /// For a process that loads the version's code; `forks`: it is a template. Error: none can be made.
  [[nodiscard]] virtual Result<tmpl::BoxPayload> box_of(const registry::Version& version, bool forks,
                                                        const NetworkPtr& network) = 0;
  /// A /tmp for an instance of the version's template; no descriptor where boxes have no namespaces.
  [[nodiscard]] virtual Result<Fd> temporary_of(const registry::Version& version) = 0;
};

}  // namespace mayfly::pool
