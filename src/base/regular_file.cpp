#include "base/regular_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace mayfly {

Result<std::string> read_regular_file(const std::filesystem::path& file, std::uint64_t max_bytes) {
  // Before it is opened: a device does things then.
  struct stat status{};
  if (::stat(file.c_str(), &status) != 0) return fail_errno("read " + file.filename().string());
  if (!S_ISREG(status.st_mode)) return fail_errno(file.filename().string() + " is no file", EINVAL);
  const Fd fd(::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd) return fail_errno("read " + file.filename().string());
  return read_regular_file(fd, file.filename(), max_bytes);
}

Result<std::string> read_regular_file(const Fd& file, const std::filesystem::path& name,
                                      std::uint64_t max_bytes) {
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return fail_errno("stat " + name.string());
  if (!S_ISREG(status.st_mode)) return fail_errno(name.string() + " is no file", EINVAL);
  if (static_cast<std::uint64_t>(status.st_size) > max_bytes)
    return fail_errno("read " + name.string(), EFBIG);
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(file.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read " + name.string());
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);
  return text;
}

}  // namespace mayfly
