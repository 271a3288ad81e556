// What a process inherits by a fork is shared with its parent, and with all that were forked from that.
#pragma once

#include <span>

namespace mayfly::sandbox {

/// In a fork of a runtime process, before it enters its box: puts something new and empty of the same kind in
/// the place of each epoll, eventfd and pipe that it has inherited, and /dev/null in that of each socket and
/// the like. Otherwise functions that were forked from one runtime process could speak to each other through
/// them, or disturb each other's. Numbers stay what they are, since libraries remember them. Descriptors in
/// `own`, and 0, 1 and 2, are left alone, and so are files. False if anything of it failed (errno).
[[nodiscard]] bool renew_inherited(std::span<const int> own);

}  // namespace mayfly::sandbox
