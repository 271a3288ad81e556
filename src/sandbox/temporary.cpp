#include "sandbox/temporary.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "sandbox/mounts.h"

namespace mayfly::sandbox {
namespace {

/// Each file of a tmpfs takes memory that its size does not show.
constexpr std::uint64_t kBytesPerFile = 4096;
constexpr std::uint64_t kMinFiles = 1024;
/// Deeper than this nothing is copied.
constexpr int kMaxDepth = 32;

struct Close {
  void operator()(DIR* dir) const noexcept { ::closedir(dir); }
};

void copy_file(int from_folder, int to_folder, const char* name, mode_t mode) noexcept {
  const Fd from(::openat(from_folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  const Fd to(::openat(to_folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode & 0777U));
  while (from && to && ::sendfile(to.get(), from.get(), nullptr, 1U << 30U) > 0) {
  }
}

void copy_link(int from_folder, int to_folder, const char* name) noexcept {
  std::array<char, PATH_MAX> target{};
  if (::readlinkat(from_folder, name, target.data(), target.size() - 1) > 0)
    (void)!::symlinkat(target.data(), to_folder, name);
}

/// What cannot be copied (it is full, or a socket) is left out.
void copy_folder(Fd from, int to, int depth) noexcept {
  const std::unique_ptr<DIR, Close> dir(::fdopendir(from.get()));
  if (!dir) return;
  (void)from.release();  // it is dir's
  const int folder = ::dirfd(dir.get());
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    struct stat status{};
    if (name == "." || name == ".." || ::fstatat(folder, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0)
      continue;
    if (S_ISREG(status.st_mode)) copy_file(folder, to, entry->d_name, status.st_mode);
    if (S_ISLNK(status.st_mode)) copy_link(folder, to, entry->d_name);
    if (!S_ISDIR(status.st_mode) || depth >= kMaxDepth ||
        ::mkdirat(to, entry->d_name, status.st_mode & 0777U) != 0)
      continue;
    const Fd inner(::openat(to, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    copy_folder(Fd(::openat(folder, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)),
                inner.get(), depth + 1);
  }
}

bool is_empty(int folder) noexcept {
  // "." and ".." take 48 bytes; a third entry does not fit beside them into 64.
  alignas(dirent) std::array<char, 64> entries;
  (void)::lseek(folder, 0, SEEK_SET);
  const auto first = ::getdents64(folder, entries.data(), entries.size());
  const bool empty = first >= 0 && first <= 48 && ::getdents64(folder, entries.data(), entries.size()) == 0;
  (void)::lseek(folder, 0, SEEK_SET);
  return empty;
}

}  // namespace

Result<Fd> make_temporary(std::uint64_t size) {
  const auto bytes = std::to_string(size);
  const auto files = std::to_string(std::max(kMinFiles, size / kBytesPerFile));
  Fd made = new_mount("tmpfs", {{"size", bytes.c_str()}, {"nr_inodes", files.c_str()}, {"mode", "1777"}});
  if (!made) return fail_errno("make a tmpfs");
  return made;
}

const char* mount_temporary(int temporary) noexcept {
  const Fd place(::open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!place) return "open /tmp";
  constexpr unsigned kByDescriptors = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  return ::move_mount(temporary, "", place.get(), "", kByDescriptors) == 0 ? nullptr : "mount /tmp";
}

const char* mount_own_temporary(int temporary) noexcept {
  Fd before(::open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (::unshare(CLONE_NEWNS) != 0) return "unshare the mounts";
  if (before && !is_empty(before.get())) copy_folder(std::move(before), temporary, 0);
  return mount_temporary(temporary);
}

}  // namespace mayfly::sandbox
