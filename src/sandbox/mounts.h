// Mounts that are made before they are attached anywhere (mount_setattr(2), open_tree(2), fsopen(2)), and
// places for them. Async-signal-safe, but for what the arguments hold.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>

#include "base/fd.h"

namespace mayfly::sandbox {

/// A copy of what is mounted at `path` and below, with these MOUNT_ATTR_ flags on all of it, and private:
/// what is mounted there stays there. No descriptor: it failed (errno).
[[nodiscard]] Fd clone_tree(const char* path, std::uint64_t attributes) noexcept;

/// A new file system of this type, without setuid programs and devices. No descriptor: it failed (errno).
[[nodiscard]] Fd new_mount(const char* type,
                           std::initializer_list<std::pair<const char*, const char*>> options) noexcept;

/// Makes the folders above `path`, which is absolute, below the folder `root`, as far as that can be written.
/// What is there already stays.
void make_parents(int root, const std::string& path) noexcept;

/// The same, and an empty folder or file at `path` itself, for a mount.
void make_place(int root, const std::string& path, bool folder) noexcept;

}  // namespace mayfly::sandbox
