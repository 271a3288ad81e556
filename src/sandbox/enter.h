// Entering a box (box.h), in the child of a fork, before it runs code of a stranger.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "sandbox/box.h"

namespace mayfly::sandbox {

/// Enters `box`; `descriptors` are those of box.descriptors, in their order, and closed by this. With
/// namespaces the process must be the first of a new PID namespace, and its parent hold all rights over its
/// user namespace. One thread; allocates little. What failed, with the system's words for it; the process
/// must end then.
[[nodiscard]] Result<void> enter(const Box& box, std::vector<Fd> descriptors);

/// A fork of a template that has entered its box: takes `temporary` as its /tmp, and gives up the rest of its
/// rights.
[[nodiscard]] Result<void> enter_as_instance(Fd temporary);

}  // namespace mayfly::sandbox
