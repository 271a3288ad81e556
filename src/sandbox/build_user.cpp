#include "sandbox/build_user.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string_view>
#include <utility>

#include "base/fd.h"
#include "sandbox/user_range.h"

namespace mayfly::sandbox {
namespace {

std::mutex leases_mutex;
std::set<uid_t> leases;

/// Folders of packages are not as deep as this, and each level is an open descriptor here.
constexpr int kMaxDepth = 256;

using Visit = std::function<bool(int folder, const char* name, const struct stat& status)>;

Result<void> walk(Fd folder, const Visit& visit, int depth) {
  if (depth > kMaxDepth) {
    return fail(std::make_error_code(std::errc::filename_too_long),
                "folders are nested more than " + std::to_string(kMaxDepth) + " deep");
  }
  struct Close {
    void operator()(DIR* dir) const noexcept { ::closedir(dir); }
  };
  const std::unique_ptr<DIR, Close> dir(::fdopendir(folder.get()));
  if (!dir) return fail_errno("read a folder");
  (void)folder.release();  // it is dir's
  const int fd = ::dirfd(dir.get());
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    // What is not there any more (ENOENT) is of a cache that another command is using.
    struct stat status{};
    if (::fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) continue;
      return fail_errno("stat a file");
    }
    if (!visit(fd, entry->d_name, status)) {
      if (errno == ENOENT) continue;
      return fail_errno("change the owner of " + std::string(name));
    }
    if (!S_ISDIR(status.st_mode)) continue;
    Fd inner(::openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!inner && errno == ENOENT) continue;
    if (!inner) return fail_errno("open " + std::string(name));
    if (auto walked = walk(std::move(inner), visit, depth + 1); !walked) return walked;
  }
  return {};
}

/// The folder itself, then all below it. Links are visited and not followed.
Result<void> walk_all(const std::filesystem::path& path, const Visit& visit) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return fail_errno("stat " + path.string());
  if (!visit(AT_FDCWD, path.c_str(), status)) return fail_errno("change the owner of " + path.string());
  Fd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder) return fail_errno("open " + path.string());
  return walk(std::move(folder), visit, 0);
}

}  // namespace

Result<BuildUser> BuildUser::take() {
  const auto users = users_of_builds();
  if (users.count < 2) return BuildUser(::geteuid(), false);
  std::random_device random;  // another daemon on this machine takes from the same range
  const std::lock_guard lock(leases_mutex);
  for (uid_t tries = 0; tries < users.count; ++tries) {
    const uid_t id = users.first + 1 + random() % (users.count - 1);  // the first is that of caches
    if (leases.insert(id).second) return BuildUser(id, true);
  }
  return fail_errno("find a free user for a build", EAGAIN);
}

BuildUser BuildUser::of_caches() {
  const auto users = users_of_builds();
  return {users.count < 2 ? ::geteuid() : users.first, false};
}

BuildUser::BuildUser(BuildUser&& other) noexcept
    : id_(other.id_), leased_(std::exchange(other.leased_, false)) {}

BuildUser::~BuildUser() {
  if (!leased_) return;
  const std::lock_guard lock(leases_mutex);
  leases.erase(id_);
}

bool BuildUser::other() const noexcept { return id_ != ::geteuid(); }

Result<void> BuildUser::give(const std::filesystem::path& folder) const {
  if (!other()) return {};
  return walk_all(folder, [id = id_](int at, const char* name, const struct stat& status) {
    return status.st_uid == id || ::fchownat(at, name, id, id, AT_SYMLINK_NOFOLLOW) == 0;
  });
}

Result<void> BuildUser::take_back(const std::filesystem::path& folder) const {
  return walk_all(folder, [this](int at, const char* name, const struct stat& status) {
    // A hard link to what never was this user's keeps its owner and its mode.
    if (status.st_uid != id_) return true;
    if (other() && ::fchownat(at, name, ::geteuid(), ::getegid(), AT_SYMLINK_NOFOLLOW) != 0) return false;
    if (S_ISLNK(status.st_mode)) return true;
    const mode_t mode = (status.st_mode & 0777U) | (S_ISDIR(status.st_mode) ? 0700U : 0600U);
    return mode == (status.st_mode & 07777U) || ::fchmodat(at, name, mode, 0) == 0;
  });
}

}  // namespace mayfly::sandbox
