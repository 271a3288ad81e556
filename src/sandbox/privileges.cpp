#include "sandbox/privileges.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>

namespace mayfly::sandbox {
namespace {

using Sets = std::array<__user_cap_data_struct, 2>;

bool set_capabilities(const Sets& sets) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  return ::syscall(SYS_capset, &header, sets.data()) == 0;
}

/// `kept` < 0: none.
bool drop(int kept) {
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability)
    if (capability != kept && ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno != EPERM)
      return false;
  Sets sets{};
  if (kept >= 0) {
    const std::uint32_t bit = 1U << (static_cast<unsigned>(kept) % 32U);
    auto& part = sets.at(static_cast<std::size_t>(kept) / 32U);
    part.effective = part.permitted = bit;
  }
  if (!set_capabilities(sets)) return false;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  // Not 0: where core files go to a program of the host, 1 is what keeps them from it (fs/coredump.c).
  const rlimit no_core{1, 1};
  return ::setrlimit(RLIMIT_CORE, &no_core) == 0;
}

}  // namespace

bool drop_privileges() { return drop(-1); }

bool drop_privileges_but(int capability) { return drop(capability); }

bool drop_capabilities() noexcept { return set_capabilities({}); }

bool raise_capabilities() noexcept {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  Sets sets{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) return false;
  for (auto& part : sets) part.effective = part.permitted;
  return set_capabilities(sets);
}

}  // namespace mayfly::sandbox
