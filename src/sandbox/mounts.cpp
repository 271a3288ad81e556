#include "sandbox/mounts.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <array>
#include <climits>
#include <cstring>

namespace mayfly::sandbox {

Fd clone_tree(const char* path, std::uint64_t attributes) noexcept {
  Fd tree(::open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
  mount_attr attr{};
  attr.attr_set = attributes;
  attr.propagation = MS_PRIVATE;
  if (tree && ::mount_setattr(tree.get(), "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr) != 0)
    return Fd();
  return tree;
}

Fd new_mount(const char* type, std::initializer_list<std::pair<const char*, const char*>> options) noexcept {
  const Fd context(::fsopen(type, FSOPEN_CLOEXEC));
  if (!context) return Fd();
  for (const auto& [key, value] : options)
    if (::fsconfig(context.get(), FSCONFIG_SET_STRING, key, value, 0) != 0) return Fd();
  if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) return Fd();
  return Fd(::fsmount(context.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV));
}

void make_parents(int root, const std::string& path) noexcept {
  std::array<char, PATH_MAX> text{};
  if (path.size() >= text.size()) return;
  std::memcpy(text.data(), path.data(), path.size());
  for (std::size_t at = 1; at < path.size(); ++at) {
    if (text[at] != '/') continue;
    text[at] = '\0';
    ::mkdirat(root, text.data() + 1, 0755);
    text[at] = '/';
  }
}

void make_place(int root, const std::string& path, bool folder) noexcept {
  make_parents(root, path);
  const char* name = path.c_str() + 1;
  if (folder)
    ::mkdirat(root, name, 0755);
  else
    (void)Fd(::openat(root, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
}

}  // namespace mayfly::sandbox
