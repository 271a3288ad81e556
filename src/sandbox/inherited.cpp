#include "sandbox/inherited.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

namespace mayfly::sandbox {
namespace {

struct Close {
  void operator()(DIR* dir) const noexcept { ::closedir(dir); }
};

std::vector<int> open_descriptors() {
  std::vector<int> found;
  const std::unique_ptr<DIR, Close> dir(::opendir("/proc/self/fd"));
  while (const dirent* entry = dir ? ::readdir(dir.get()) : nullptr) {
    const std::string_view name = entry->d_name;
    int fd = -1;
    if (std::from_chars(name.data(), name.data() + name.size(), fd).ec == std::errc() &&
        fd != ::dirfd(dir.get()))
      found.push_back(fd);
  }
  return found;
}

std::string kind_of(int fd) {
  std::array<char, 128> target{};
  const auto path = "/proc/self/fd/" + std::to_string(fd);
  const auto size = ::readlink(path.c_str(), target.data(), target.size());
  return {target.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
}

/// `fresh` takes the number of `fd`, and its flags.
bool replace(int fd, int fresh) {
  const int flags = ::fcntl(fd, F_GETFD);
  const int status = ::fcntl(fd, F_GETFL);
  return fresh >= 0 && ::dup3(fresh, fd, (flags & FD_CLOEXEC) != 0 ? O_CLOEXEC : 0) == fd &&
         ::fcntl(fd, F_SETFL, status & O_NONBLOCK) == 0;
}

/// Both ends of a pipe are replaced by those of one new pipe.
class Pipes {
 public:
  bool renew(int fd, const std::string& pipe) {
    auto& ends = made_[pipe];
    if (!ends.read) {
      std::array<int, 2> fresh{};
      if (::pipe2(fresh.data(), O_CLOEXEC) != 0) return false;
      ends = {Fd(fresh[0]), Fd(fresh[1])};
    }
    const bool writes = (::fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY;
    return replace(fd, (writes ? ends.write : ends.read).get());
  }

 private:
  struct Ends {
    Fd read;
    Fd write;
  };
  std::map<std::string, Ends> made_;
};

bool renew(int fd, Pipes& pipes) {
  const auto kind = kind_of(fd);
  if (kind.starts_with("pipe:")) return pipes.renew(fd, kind);
  if (kind == "anon_inode:[eventpoll]") return replace(fd, Fd(::epoll_create1(EPOLL_CLOEXEC)).get());
  if (kind == "anon_inode:[eventfd]") return replace(fd, Fd(::eventfd(0, EFD_CLOEXEC)).get());
  if (kind.starts_with("socket:") || kind.starts_with("anon_inode:"))
    return replace(fd, Fd(::open("/dev/null", O_RDWR | O_CLOEXEC)).get());
  return true;
}

}  // namespace

bool renew_inherited(std::span<const int> own) {
  Pipes pipes;
  return std::ranges::all_of(open_descriptors(), [&](int fd) {
    return fd <= 2 || std::ranges::find(own, fd) != own.end() || renew(fd, pipes);
  });
}

}  // namespace mayfly::sandbox
