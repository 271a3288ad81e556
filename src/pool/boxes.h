// What confines the processes of a version; made by whoever wires the platform (daemon/boxes.h).
#pragma once

#include "registry/function.h"
#include "template/fork_client.h"

namespace mayfly::pool {

/// Called on every shard's thread, for each template and each instance: does not block.
class Boxes {
 public:
  virtual ~Boxes() = default;
  /// For a process that loads the version's code; `forks`: it is a template. Error: none can be made.
  [[nodiscard]] virtual Result<tmpl::BoxPayload> box_of(const registry::Version& version, bool forks) = 0;
  /// A /tmp for an instance of the version's template; no descriptor where boxes have no namespaces.
  [[nodiscard]] virtual Result<Fd> temporary_of(const registry::Version& version) = 0;
};

}  // namespace mayfly::pool
