#include "base/guarded_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <memory>

#include "base/regular_file.h"

namespace mayfly {
namespace {

namespace fs = std::filesystem;

/// Each level is an open descriptor.
constexpr int kMaxDepth = 256;

bool is_name(const fs::path& name) { return !name.empty() && name != "." && name != ".."; }

/// Calls `visit` with the name of each entry of an open folder, until it gives an error (errno).
int each_entry(Fd folder, const std::function<int(int folder, const char* name)>& visit) {
  struct Close {
    void operator()(DIR* dir) const noexcept { ::closedir(dir); }
  };
  const std::unique_ptr<DIR, Close> dir(::fdopendir(folder.get()));
  if (!dir) return errno;
  (void)folder.release();  // it is dir's
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(dir.get());
    if (entry == nullptr) return errno;
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (const int error = visit(::dirfd(dir.get()), entry->d_name)) return error;
  }
}

Fd open_folder(int at, const char* name) {
  return Fd(::openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

int remove_at(int at, const char* name, int depth) {
  if (::unlinkat(at, name, 0) == 0 || errno == ENOENT) return 0;
  if (errno != EISDIR && errno != EPERM) return errno;
  if (depth > kMaxDepth) return ELOOP;
  auto folder = open_folder(at, name);
  if (!folder) return errno;
  const auto remove_inner = [depth](int inner, const char* entry) {
    return remove_at(inner, entry, depth + 1);
  };
  if (const int error = each_entry(std::move(folder), remove_inner)) return error;
  return ::unlinkat(at, name, AT_REMOVEDIR) == 0 ? 0 : errno;
}

int find_files(Fd folder, const fs::path& path, std::vector<fs::path>& found, int depth) {
  if (depth > kMaxDepth) return ELOOP;
  return each_entry(std::move(folder), [&](int at, const char* name) {
    struct stat status{};
    if (::fstatat(at, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return errno;
    if (S_ISREG(status.st_mode)) found.push_back(path / name);
    if (!S_ISDIR(status.st_mode)) return 0;
    auto inner = open_folder(at, name);
    return inner ? find_files(std::move(inner), path / name, found, depth + 1) : errno;
  });
}

}  // namespace

Result<GuardedFolder> GuardedFolder::open(const fs::path& folder) {
  auto fd = open_folder(AT_FDCWD, folder.c_str());
  if (!fd) return fail_errno("open " + folder.string());
  return GuardedFolder(std::move(fd));
}

Result<Fd> GuardedFolder::open_inside(const fs::path& path, std::uint64_t flags) const {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  const char* name = path.empty() ? "." : path.c_str();
  Fd fd(static_cast<int>(::syscall(SYS_openat2, folder_.get(), name, &how, sizeof how)));
  if (!fd) return fail_errno("open " + path.string());
  return fd;
}

Result<Fd> GuardedFolder::open_file(const fs::path& file) const {
  auto fd = open_inside(file, O_RDONLY | O_NONBLOCK);  // who opens a pipe is not to wait for its writer
  struct stat status{};
  if (fd && (::fstat(fd->get(), &status) != 0 || !S_ISREG(status.st_mode)))
    return fail_errno(file.string() + " is not a file", EINVAL);
  return fd;
}

Result<std::string> GuardedFolder::read(const fs::path& file, std::uint64_t max_bytes) const {
  const auto fd = open_file(file);
  if (!fd) return std::unexpected(fd.error());
  return read_regular_file(*fd, file, max_bytes);
}

Result<std::vector<fs::path>> GuardedFolder::files(const fs::path& folder) const {
  auto fd = open_inside(folder, O_RDONLY | O_DIRECTORY);
  if (!fd) return propagate(fd);
  std::vector<fs::path> found;
  if (const int error = find_files(std::move(*fd), folder, found, 0))
    return fail_errno("read " + folder.string(), error);
  std::ranges::sort(found);
  return found;
}

Result<void> GuardedFolder::make_folder(const fs::path& folder) const {
  fs::path path;
  for (const auto& name : folder) {
    auto parent = open_inside(path, O_PATH | O_DIRECTORY);
    if (!parent) return propagate(parent);
    path /= name;
    if (!is_name(name)) continue;
    if (::mkdirat(parent->get(), name.c_str(), 0755) != 0 && errno != EEXIST)
      return fail_errno("make " + path.string());
  }
  const auto made = open_inside(path, O_PATH | O_DIRECTORY);
  if (!made) return std::unexpected(made.error());
  return {};
}

Result<Fd> GuardedFolder::create(const fs::path& file, mode_t mode) const {
  if (!is_name(file.filename())) return fail_errno("create " + file.string(), EINVAL);
  if (auto made = make_folder(file.parent_path()); !made) return propagate(made);
  if (auto removed = remove(file); !removed) return propagate(removed);
  const auto parent = open_inside(file.parent_path(), O_PATH | O_DIRECTORY);
  if (!parent) return std::unexpected(parent.error());
  Fd fd(::openat(parent->get(), file.filename().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!fd || ::fchmod(fd.get(), mode) != 0) return fail_errno("create " + file.string());
  return fd;
}

Result<void> GuardedFolder::write(const fs::path& file, std::string_view text) const {
  const auto fd = create(file, 0644);
  if (!fd) return std::unexpected(fd.error());
  while (!text.empty()) {
    const ssize_t put = ::write(fd->get(), text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_errno("write " + file.string());
    text.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

Result<void> GuardedFolder::copy(const Fd& from, const fs::path& file, mode_t mode) const {
  const auto fd = create(file, mode);
  if (!fd) return std::unexpected(fd.error());
  for (;;) {
    const ssize_t put = ::sendfile(fd->get(), from.get(), nullptr, 1U << 30U);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_errno("copy " + file.string());
    if (put == 0) return {};
  }
}

Result<void> GuardedFolder::remove(const fs::path& path) const {
  if (!is_name(path.filename())) return fail_errno("remove " + path.string(), EINVAL);
  const auto parent = open_inside(path.parent_path(), O_PATH | O_DIRECTORY);
  if (!parent && parent.error().code == std::errc::no_such_file_or_directory) return {};
  if (!parent) return std::unexpected(parent.error());
  const int error = remove_at(parent->get(), path.filename().c_str(), 0);
  if (error != 0) return fail_errno("remove " + path.string(), error);
  return {};
}

}  // namespace mayfly
