#include "sandbox/user_namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <string_view>

#include "base/fd.h"
#include "sandbox/privileges.h"

namespace mayfly::sandbox {
namespace {

bool write_whole(const char* path, std::string_view text) noexcept {
  const Fd file(::open(path, O_WRONLY | O_CLOEXEC));
  return file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

/// One line of a map: `inside` is `outside`, and nobody else is anybody.
bool write_map(const char* path, unsigned inside, unsigned outside) noexcept {
  std::array<char, 32> line{};
  char* end = std::to_chars(line.data(), line.data() + 11, inside).ptr;
  *end++ = ' ';
  end = std::to_chars(end, end + 11, outside).ptr;
  *end++ = ' ';
  *end++ = '1';
  return write_whole(path, {line.data(), static_cast<std::size_t>(end - line.data())});
}

}  // namespace

bool become_user(uid_t user) noexcept {
  if (user == ::geteuid() && user == ::getegid()) {
    (void)::syscall(SYS_setgroups, 0, nullptr);  // refused in a user namespace that knows one group alone
    return true;
  }
  return ::prctl(PR_SET_KEEPCAPS, 1) == 0 && ::syscall(SYS_setgroups, 0, nullptr) == 0 &&
         ::syscall(SYS_setresgid, user, user, user) == 0 && ::syscall(SYS_setresuid, user, user, user) == 0 &&
         raise_capabilities();
}

const char* enter_user_namespace(uid_t inside, int others) noexcept {
  const uid_t user = ::geteuid();
  const gid_t group = ::getegid();
  // A change of the user cleared it, and /proc/self then belongs to root.
  if (::prctl(PR_SET_DUMPABLE, 1) != 0) return "PR_SET_DUMPABLE";
  if (::unshare(CLONE_NEWUSER | others) != 0) return "unshare";
  if (!write_whole("/proc/self/setgroups", "deny")) return "write setgroups";
  if (!write_map("/proc/self/uid_map", inside, user)) return "write uid_map";
  if (!write_map("/proc/self/gid_map", inside, group)) return "write gid_map";
  return nullptr;
}

}  // namespace mayfly::sandbox
