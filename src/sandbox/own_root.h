// An ordinary user's daemon is root in a user namespace of its own: so it has the same means as one of root.
#pragma once

#include "base/result.h"

namespace mayfly::sandbox {

/// Makes the calling process, unless it is root, the root of a new user and mount namespace: with the users
/// that /etc/subuid gives, where newuidmap(1) is installed, else alone. Files that it makes belong to the
/// same user as before. Must be called before the process has a second thread; may wait for newuidmap, at
/// most 10 s. Error: this host does not allow it, and the process is what it was.
[[nodiscard]] Result<void> become_own_root();

}  // namespace mayfly::sandbox
