#include "base/memory_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace mayfly {

Result<Fd> sealed_file(const char* name, std::string_view content) {
  const Fd file(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file) return fail_errno("memfd_create");
  for (std::size_t at = 0; at < content.size();) {
    const auto wrote = ::write(file.get(), content.data() + at, content.size() - at);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return fail_errno("write a file in memory");
    at += static_cast<std::size_t>(wrote);
  }
  constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  if (::fcntl(file.get(), F_ADD_SEALS, kSeals) != 0) return fail_errno("seal a file in memory");
  const auto path = "/proc/self/fd/" + std::to_string(file.get());
  Fd reader(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!reader) return fail_errno("open a file in memory");
  return reader;
}

Result<std::string> read_all(int file) {
  struct stat info{};
  if (::fstat(file, &info) != 0) return fail_errno("stat");
  std::string content(static_cast<std::size_t>(info.st_size), '\0');
  for (std::size_t at = 0; at < content.size();) {
    const auto got = ::pread(file, content.data() + at, content.size() - at, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read");
    if (got == 0) return fail_errno("read", EIO);
    at += static_cast<std::size_t>(got);
  }
  return content;
}

}  // namespace mayfly
