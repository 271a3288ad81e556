// Which version of a function stands for it.
#pragma once

#include "registry/function.h"

namespace mayfly::registry {

/// The version that most of the traffic goes to; of equals the newest. As good as the function. Null: there
/// is none, which is so of no function that is deployed.
[[nodiscard]] const VersionPtr& main_version(const Function& function);

}  // namespace mayfly::registry
