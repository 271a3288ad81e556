#include "sandbox/forbidden_calls.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace mayfly::sandbox {
namespace {

/// A program of the kernel's largest size.
constexpr std::size_t kMaxInstructions = BPF_MAXINSNS;
constexpr int kDiedOfSignal = 128 + SIGSYS;

#define MAYFLY_CALL(name) \
  ForbiddenCall { #name, SYS_##name }
constexpr std::array kForbidden{
    // other processes' memory
    MAYFLY_CALL(ptrace), MAYFLY_CALL(process_vm_readv), MAYFLY_CALL(process_vm_writev),
    MAYFLY_CALL(process_madvise), MAYFLY_CALL(pidfd_getfd), MAYFLY_CALL(kcmp), MAYFLY_CALL(perf_event_open),
    // mounts, roots and namespaces
    MAYFLY_CALL(mount), MAYFLY_CALL(umount2), MAYFLY_CALL(pivot_root), MAYFLY_CALL(chroot),
    MAYFLY_CALL(unshare), MAYFLY_CALL(setns), MAYFLY_CALL(fsopen), MAYFLY_CALL(fsconfig),
    MAYFLY_CALL(fsmount), MAYFLY_CALL(fspick), MAYFLY_CALL(open_tree), MAYFLY_CALL(move_mount),
    MAYFLY_CALL(mount_setattr), MAYFLY_CALL(open_by_handle_at), MAYFLY_CALL(clone),
    // large parts of the kernel that have had many holes
    MAYFLY_CALL(bpf), MAYFLY_CALL(userfaultfd), MAYFLY_CALL(keyctl), MAYFLY_CALL(add_key),
    MAYFLY_CALL(request_key), MAYFLY_CALL(fanotify_init),
    // the machine itself
    MAYFLY_CALL(init_module), MAYFLY_CALL(finit_module), MAYFLY_CALL(delete_module), MAYFLY_CALL(kexec_load),
    MAYFLY_CALL(reboot), MAYFLY_CALL(swapon), MAYFLY_CALL(swapoff), MAYFLY_CALL(acct), MAYFLY_CALL(quotactl),
    MAYFLY_CALL(settimeofday), MAYFLY_CALL(clock_settime), MAYFLY_CALL(sethostname),
    MAYFLY_CALL(setdomainname), MAYFLY_CALL(vhangup), MAYFLY_CALL(syslog),
#if defined(__x86_64__)
    MAYFLY_CALL(kexec_file_load), MAYFLY_CALL(iopl), MAYFLY_CALL(ioperm), MAYFLY_CALL(modify_ldt),
#endif
    // everybody at once
    MAYFLY_CALL(kill)};
#undef MAYFLY_CALL

void say(std::string_view text) noexcept { (void)!::write(2, text.data(), text.size()); }

void on_forbidden(int, siginfo_t* info, void*) {
  std::array<char, 96> words{};
  std::strcpy(words.data(), "forbidden system call: ");
  const char* name = "?";
  for (const auto& call : kForbidden)
    if (call.number == info->si_syscall) name = call.name;
  std::strcat(words.data(), name);
  std::strcat(words.data(), "\n");
  say(words.data());
  std::signal(SIGSYS, SIG_DFL);
  ::syscall(SYS_tgkill, ::getpid(), ::syscall(SYS_gettid), SIGSYS);
  ::_exit(kDiedOfSignal);  // the first process of a PID namespace is not killed by its own signal
}

}  // namespace

std::span<const ForbiddenCall> forbidden_calls() noexcept { return kForbidden; }

bool has_filters() noexcept {
  const std::uint32_t action = SECCOMP_RET_TRAP;
  return ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

const char* install_filter(int program) noexcept {
  struct sigaction action{};
  action.sa_sigaction = on_forbidden;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  if (::sigaction(SIGSYS, &action, nullptr) != 0) return "sigaction";
  std::array<sock_filter, kMaxInstructions> instructions{};
  const auto size = ::pread(program, instructions.data(), sizeof instructions, 0);
  if (size <= 0 || static_cast<std::size_t>(size) % sizeof(sock_filter) != 0) return "read the filter";
  sock_fprog whole{static_cast<unsigned short>(static_cast<std::size_t>(size) / sizeof(sock_filter)),
                   instructions.data()};
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &whole) == 0 ? nullptr : "seccomp";
}

}  // namespace mayfly::sandbox
