#include "sandbox/cgroup_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace mayfly::sandbox {
namespace fs = std::filesystem;
namespace {

class HostFiles final : public CgroupFiles {
 public:
  Result<void> make_group(const fs::path& group) const override {
    if (::mkdir(group.c_str(), 0755) != 0 && errno != EEXIST) return fail_errno("make " + group.string());
    return {};
  }
  Result<void> remove_group(const fs::path& group) const override {
    if (::rmdir(group.c_str()) != 0 && errno != ENOENT) return fail_errno("remove " + group.string());
    return {};
  }
  Result<std::string> read(const fs::path& file) const override {
    const Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return fail_errno("open " + file.string());
    std::string text;
    std::array<char, 4096> part;
    for (;;) {
      const ssize_t got = ::read(fd.get(), part.data(), part.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return fail_errno("read " + file.string());
      if (got == 0) return text;
      text.append(part.data(), static_cast<std::size_t>(got));
    }
  }
  Result<void> write(const fs::path& file, std::string_view text) const override {
    const Fd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd) return fail_errno("open " + file.string());
    while (::write(fd.get(), text.data(), text.size()) < 0)
      if (errno != EINTR) return fail_errno("write " + file.string());
    return {};
  }
  Result<Fd> open(const fs::path& file) const override {
    Fd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd) return fail_errno("open " + file.string());
    return fd;
  }
  std::vector<std::string> groups(const fs::path& group) const override {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator it(group, error), end; !error && it != end; it.increment(error))
      if (it->is_directory(error)) names.push_back(it->path().filename().string());
    return names;
  }
  Result<Fd> lock(const fs::path& group) const override {
    Fd fd(::open(group.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) return fail_errno("open " + group.string());
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return fail_errno("lock " + group.string());
    return fd;
  }
};

}  // namespace

const CgroupFiles& host_cgroup_files() {
  static const HostFiles files;
  return files;
}

}  // namespace mayfly::sandbox
