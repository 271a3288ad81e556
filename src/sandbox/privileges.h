// Giving up what a process could do beyond an ordinary user's rights (capabilities(7)).
#pragma once

namespace mayfly::sandbox {

/// Drops every capability, from the bounding set too, and sets no_new_privs (PR_SET_NO_NEW_PRIVS), and
/// forbids core files. False if anything of it failed: then do not go on. Async-signal-safe.
[[nodiscard]] bool drop_privileges();

/// The same, but for one capability of the process's own user namespace: what a template needs to give each
/// of its forks a mount namespace (temporary.h). What it executes does not get it.
[[nodiscard]] bool drop_privileges_but(int capability);

/// Gives up the capabilities of a process that has no_new_privs already.
[[nodiscard]] bool drop_capabilities() noexcept;

/// Rights that are permitted take effect: they do not after a change of the user (PR_SET_KEEPCAPS).
[[nodiscard]] bool raise_capabilities() noexcept;

}  // namespace mayfly::sandbox
