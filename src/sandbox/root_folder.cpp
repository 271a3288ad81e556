#include "sandbox/root_folder.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "sandbox/mounts.h"

namespace mayfly::sandbox {
namespace {

constexpr std::array kDevices{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"};
/// What /proc tells of the whole machine and nobody needs: how it was started and built, what its devices do,
/// and a folder where a process can have itself woken by the machine's load.
constexpr std::array kCoveredFiles{"/proc/cmdline", "/proc/config.gz", "/proc/interrupts", "/proc/diskstats"};
constexpr const char* kCoveredFolder = "/proc/pressure";
/// For a few folders and small files.
constexpr const char* kRootSize = "4m";

const char* below(const std::string& path) noexcept { return path.c_str() + 1; }

bool make_read_only(const Fd& mount) noexcept {
  mount_attr read_only{};
  read_only.attr_set = MOUNT_ATTR_RDONLY;
  return ::mount_setattr(mount.get(), "", AT_EMPTY_PATH, &read_only, sizeof read_only) == 0;
}

void copy_file(int root, const std::string& path) noexcept {
  const Fd from(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!from) return;
  make_parents(root, path);
  const Fd to(::openat(root, below(path), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  while (to && ::sendfile(to.get(), from.get(), nullptr, 1U << 20U) > 0) {
  }
}

}  // namespace

const char* RootFolder::take_hold() noexcept {
  for (const auto& [path, at] : box_.visible) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) return "look at what is visible";
    Tree tree{at, clone_tree(path.c_str(), MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV),
              S_ISDIR(status.st_mode)};
    if (!tree.mount) return "take hold of what is visible";
    trees_.push_back(std::move(tree));
  }
  for (const char* path : kDevices) {
    Tree tree{path, clone_tree(path, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC), false};
    if (!tree.mount) return "take hold of devices";
    trees_.push_back(std::move(tree));
  }
  if (const char* failed = take_covers()) return failed;
  proc_ = new_mount("proc", {});
  return proc_ ? nullptr : "mount /proc";
}

const char* RootFolder::take_covers() noexcept {
  for (const char* path : kCoveredFiles)
    covers_.push_back(
        {path, clone_tree("/dev/null", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC), false});
  covers_.push_back({kCoveredFolder, new_mount("tmpfs", {{"size", "4k"}, {"mode", "555"}}), true});
  if (!make_read_only(covers_.back().mount)) return "make a cover";
  return nullptr;
}

const char* RootFolder::attach(const Fd& tree, const std::string& path) const noexcept {
  return ::move_mount(tree.get(), "", root_.get(), below(path), MOVE_MOUNT_F_EMPTY_PATH) == 0 ? nullptr
                                                                                              : "move_mount";
}

/// Last: as long as the process's root is the host's, what goes through an absolute link goes there.
const char* RootFolder::make_links() noexcept {
  for (const auto& link : box_.links) {
    make_parents(root_.get(), link.path);
    if (::symlinkat(link.content.c_str(), root_.get(), below(link.path)) != 0) return "symlink";
  }
  return nullptr;
}

const char* RootFolder::make_files() noexcept {
  for (const auto& path : box_.copied) copy_file(root_.get(), path);
  for (const auto& file : box_.files) {
    make_parents(root_.get(), file.path);
    const Fd to(::openat(root_.get(), below(file.path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!to || ::write(to.get(), file.content.data(), file.content.size()) !=
                   static_cast<ssize_t>(file.content.size()))
      return "write a file";
  }
  return nullptr;
}

/// A kernel may be without one or the other.
const char* RootFolder::cover() noexcept {
  for (const auto& cover : covers_)
    if (attach(cover.mount, cover.path) != nullptr && errno != ENOENT) return "cover a part of /proc";
  return nullptr;
}

/// The new root stands at /proc meanwhile, as it could at any folder.
const char* RootFolder::enter() noexcept {
  root_ = new_mount("tmpfs", {{"size", kRootSize}, {"mode", "755"}});
  if (!root_) return "mount the root";
  // Refused in a chroot, whose root is no mount: there nothing would keep a process from going above it.
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return "make mounts private";
  if (::move_mount(root_.get(), "", AT_FDCWD, "/proc", MOVE_MOUNT_F_EMPTY_PATH) != 0)
    return "attach the root";
  ::mkdirat(root_.get(), "proc", 0755);
  ::mkdirat(root_.get(), "tmp", 0755);
  if (const char* failed = make_files()) return failed;  // before what would be in its way
  for (const auto& tree : trees_) {
    make_place(root_.get(), tree.path, tree.folder);
    if (const char* failed = attach(tree.mount, tree.path)) return failed;
  }
  if (const char* failed = attach(proc_, "/proc")) return failed;
  if (const char* failed = cover()) return failed;
  if (const char* failed = make_links()) return failed;
  if (::fchdir(root_.get()) != 0) return "enter the root";
  if (::syscall(SYS_pivot_root, ".", ".") != 0) return "pivot_root";
  if (::umount2(".", MNT_DETACH) != 0) return "leave the old root";
  (void)make_read_only(root_);
  return ::chdir("/") == 0 ? nullptr : "enter the root";
}

}  // namespace mayfly::sandbox
