#include "sandbox/mount_plan.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <string_view>

#include "base/fd.h"
#include "sandbox/mounts.h"

namespace mayfly::sandbox {
namespace {

namespace fs = std::filesystem;

bool attach(int tree, const char* path) {
  return ::move_mount(tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) == 0;
}

bool is_inside(const std::string& path, const std::string& folder) {
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

}  // namespace

MountPlan MountPlan::make(const ConfinedCommand& command, bool other_user) {
  MountPlan plan;
  plan.temporary_options_ = "mode=1777,size=" + std::to_string(command.max_temporary);
  // A later entry for the same path replaces an earlier one.
  plan.add("/run", Kind::hide);
  // Where resolv.conf leads to, mostly below /run.
  std::error_code ignored;
  if (const auto resolver = fs::canonical("/etc/resolv.conf", ignored); is_inside(resolver.native(), "/run"))
    plan.add(resolver.parent_path(), Kind::read_only);
  // People keep their keys at home.
  const char* home = std::getenv("HOME");
  for (const char* path : {"/root", "/home", home != nullptr ? home : "/root"}) plan.add(path, Kind::hide);
  for (const auto& path : command.hidden) plan.add(path, Kind::hide);
  for (const char* path : {"/tmp", "/var/tmp", "/dev/shm"}) plan.add(path, Kind::temporary);
  for (const auto& path : command.visible) plan.add(path, Kind::read_only);
  for (const auto& path : command.writable) plan.add(path, Kind::writable);
  for (const auto& path : command.caches) plan.add(path, Kind::writable);
  if (other_user) plan.hide_closed_ancestors();
  std::ranges::sort(plan.steps_, {}, &Step::path);  // "/a" before "/a/b"
  return plan;
}

void MountPlan::add(const fs::path& given, Kind kind) {
  std::error_code error;
  const auto path = fs::canonical(given, error).native();
  if (error || path == "/") return;  // there is nothing to hide or to show
  std::erase_if(steps_, [&](const Step& step) { return step.path == path; });
  steps_.push_back({path, kind, fs::is_directory(path, error)});
}

/// A folder that only its owner may enter cannot be on the way to anything: an empty one that all may enter
/// takes its place.
void MountPlan::hide_closed_ancestors() {
  std::vector<std::string> wanted;
  for (const auto& step : steps_)
    if (step.kind != Kind::hide && step.kind != Kind::temporary) wanted.push_back(step.path);
  for (const auto& path : wanted) {
    for (auto folder = fs::path(path).parent_path(); folder != "/"; folder = folder.parent_path()) {
      const auto same = [&](const Step& other) { return other.path == folder.native(); };
      struct stat status{};
      if (std::ranges::any_of(steps_, same) || ::stat(folder.c_str(), &status) != 0) continue;
      if ((status.st_mode & S_IXOTH) == 0) steps_.push_back({folder.native(), Kind::hide});
    }
  }
}

const char* MountPlan::clone_trees() noexcept {
  for (auto& step : steps_) {
    if (step.kind != Kind::read_only && step.kind != Kind::writable) continue;
    step.tree =
        clone_tree(step.path.c_str(), step.kind == Kind::read_only ? MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID
                                                                   : MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    if (!step.tree) return "take hold of what is visible";
  }
  return nullptr;
}

/// The host's root is attached to /proc, of all places, because that is a mount point even in a chroot: so it
/// can be cut off from the host's mounts before anything is mounted on it.
const char* MountPlan::enter_root() noexcept {
  const Fd root = clone_tree("/", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID);
  if (!root) return "take hold of the root";
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 &&
      ::mount(nullptr, "/proc", nullptr, MS_PRIVATE, nullptr) != 0)
    return "mount MS_PRIVATE";
  if (!attach(root.get(), "/proc")) return "move_mount";
  if (::chdir("/proc") != 0 || ::chroot(".") != 0 || ::chdir("/") != 0) return "chroot";
  return nullptr;
}

const char* MountPlan::mount_step(const Step& step) noexcept {
  const char* path = step.path.c_str();
  const auto gone = [] {
    return errno == ENOENT || errno == ENOTDIR;
  };  // below something else that is hidden
  switch (step.kind) {
    case Kind::hide: {
      const bool done = step.folder
                            ? ::mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m") == 0
                            : ::mount("/dev/null", path, nullptr, MS_BIND, nullptr) == 0;
      return done || gone() ? nullptr : "hide";
    }
    case Kind::temporary: {
      const bool done =
          ::mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, temporary_options_.c_str()) == 0;
      return done || gone() ? nullptr : "mount tmpfs";
    }
    case Kind::read_only:
    case Kind::writable:
      make_place(AT_FDCWD, step.path, step.folder);  // the root is where this process is
      return attach(step.tree.get(), path) ? nullptr : "move_mount";
  }
  return nullptr;
}

const char* MountPlan::apply(bool& own_proc) noexcept {
  if (const char* failed = enter_root()) return failed;
  for (const auto& step : steps_)
    if (const char* failed = mount_step(step)) return failed;
  mount_attr read_only{};
  read_only.attr_set = MOUNT_ATTR_RDONLY;
  for (const auto& step : steps_)
    if (step.kind == Kind::hide && step.folder)
      (void)::mount_setattr(AT_FDCWD, step.path.c_str(), 0, &read_only, sizeof read_only);
  // Refused where parts of the host's /proc are covered, as they are in most containers: then that one stays.
  own_proc = ::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) == 0;
  return nullptr;
}

}  // namespace mayfly::sandbox
