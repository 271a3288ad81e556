#include "base/remove_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace mayfly {
namespace {

Fd open_folder(int at, const char* name) {
  return Fd(::openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

/// What names a folder as long as it is open.
struct Identity {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const Identity&) const = default;
};

Identity identity_of(const Fd& folder) {
  struct stat status{};
  (void)::fstat(folder.get(), &status);
  return {status.st_dev, status.st_ino};
}

/// What is in the way of removing a folder.
struct Obstacle {
  int error = 0;       ///< 0: none
  std::string folder;  ///< one that is not empty; if there is one, `error` says nothing
};

/// Removes files, links and empty folders, up to the first folder that is not empty.
Obstacle remove_entries(const Fd& folder) {
  (void)::fchmod(folder.get(), 0700);
  struct Close {
    void operator()(DIR* dir) const noexcept { ::closedir(dir); }
  };
  Fd own(::openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::unique_ptr<DIR, Close> dir(own ? ::fdopendir(own.get()) : nullptr);
  if (!dir) return {errno, {}};
  (void)own.release();  // it is dir's
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(dir.get());
    if (entry == nullptr) return {errno, {}};
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (::unlinkat(folder.get(), entry->d_name, 0) == 0 || errno == ENOENT) continue;
    if (errno != EISDIR && errno != EPERM) return {errno, {}};
    if (::unlinkat(folder.get(), entry->d_name, AT_REMOVEDIR) == 0) continue;
    if (errno == ENOTEMPTY || errno == EEXIST) return {0, entry->d_name};
    return {errno, {}};
  }
}

/// Leaves it empty.
int empty(Fd folder) {
  const auto top = identity_of(folder);
  for (std::size_t depth = 0;;) {
    const auto obstacle = remove_entries(folder);
    if (!obstacle.folder.empty()) {
      auto inner = open_folder(folder.get(), obstacle.folder.c_str());
      if (!inner && errno == EACCES &&
          ::fchmodat(folder.get(), obstacle.folder.c_str(), 0700, 0) ==
              0)  // it is no link, else it were gone
        inner = open_folder(folder.get(), obstacle.folder.c_str());
      if (!inner) return errno;
      folder = std::move(inner);
      ++depth;
      continue;
    }
    if (obstacle.error != 0) return obstacle.error;
    if (depth == 0 || identity_of(folder) == top) return 0;
    auto above = open_folder(folder.get(), "..");
    if (!above) return errno;
    folder = std::move(above);
    --depth;
  }
}

}  // namespace

Result<void> remove_tree(const std::filesystem::path& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM) return fail_errno("remove " + path.string());
  ::chmod(path.c_str(), 0700);
  auto folder = open_folder(AT_FDCWD, path.c_str());
  const int error = folder ? empty(std::move(folder)) : errno;
  if (error != 0) return fail_errno("remove what is in " + path.string(), error);
  if (::rmdir(path.c_str()) != 0) return fail_errno("remove " + path.string());
  return {};
}

}  // namespace mayfly
