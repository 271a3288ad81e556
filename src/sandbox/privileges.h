// Giving up what a process could do beyond an ordinary user's rights.
#pragma once

namespace mayfly::sandbox {

/// Drops every capability, from the bounding set too, and sets no_new_privs (capabilities(7),
/// PR_SET_NO_NEW_PRIVS), and forbids core files. False if anything of it failed: then do not go on.
[[nodiscard]] bool drop_privileges();

}  // namespace mayfly::sandbox
