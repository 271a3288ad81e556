#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/fd.h"
#include "cli/doctor_checks.h"

namespace mayfly::cli {
namespace {

Finding kernel_version() {
  struct utsname name{};
  ::uname(&name);
  int major = 0;
  int minor = 0;
  const bool known = std::sscanf(name.release, "%d.%d", &major, &minor) == 2;
  if (known && (major > 6 || (major == 6 && minor >= 7))) return {"kernel", Health::good, name.release};
  if (known && (major > 5 || (major == 5 && minor >= 10)))
    return {"kernel", Health::warning, name.release, "isolation = \"request\" is quicker from Linux 6.7 on"};
  return {"kernel", Health::bad, name.release, "Linux 5.10 or newer is needed"};
}

Finding memfd() {
  const Fd fd(::memfd_create("mayfly-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (fd) return {"memfd", Health::good, "can be made"};
  return {"memfd", Health::bad, std::strerror(errno),
          "memfd_create must be allowed: is a container's seccomp filter in the way?"};
}

Finding pidfd() {
  const Fd fd(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  if (fd) return {"pidfd", Health::good, "can be opened"};
  return {"pidfd", Health::bad, std::strerror(errno),
          "pidfd_open must be allowed: is a container's seccomp filter in the way?"};
}

// From <linux/fs.h> of Linux 6.7; Debian 12's headers are older.
struct PageRegion {
  std::uint64_t start, end, categories;
};
struct PagemapScan {
  std::uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
  std::uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

Finding pagemap_scan() {
  const Fd fd(::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
  PageRegion region{};
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const auto here = reinterpret_cast<std::uintptr_t>(&region) & ~(page - 1);
  constexpr std::uint64_t kPresent = 1U << 3U;
  PagemapScan scan{.size = sizeof(PagemapScan),
                   .flags = 0,
                   .start = here,
                   .end = here + page,
                   .walk_end = 0,
                   .vec = reinterpret_cast<std::uintptr_t>(&region),
                   .vec_len = 1,
                   .max_pages = 0,
                   .category_inverted = 0,
                   .category_mask = kPresent,
                   .category_anyof_mask = 0,
                   .return_mask = kPresent};
  if (fd && ::ioctl(fd.get(), _IOWR('f', 16, PagemapScan), &scan) >= 0)
    return {"PAGEMAP_SCAN", Health::good, "works"};
  return {"PAGEMAP_SCAN", Health::warning, fd ? "not in this kernel" : "/proc/self/pagemap cannot be opened",
          "isolation = \"request\" uses a fresh fork for each request instead of a reset; Linux 6.7 has it"};
}

Finding limit(const char* what, __rlimit_resource resource, rlim_t wanted, const char* option) {
  struct rlimit value{};
  ::getrlimit(resource, &value);
  const std::string found = value.rlim_cur == RLIM_INFINITY ? "unlimited" : std::to_string(value.rlim_cur);
  if (value.rlim_cur >= wanted) return {what, Health::good, found};
  return {what, Health::warning, found,
          std::string("a thousand instances need more: ulimit ") + option + " " + std::to_string(wanted) +
              ", or Limit… in the service's unit"};
}

}  // namespace

std::vector<Finding> check_kernel() {
  return {kernel_version(),
          memfd(),
          pidfd(),
          pagemap_scan(),
          limit("open files", RLIMIT_NOFILE, 8192, "-n"),
          limit("processes", RLIMIT_NPROC, 4096, "-u")};
}

}  // namespace mayfly::cli
