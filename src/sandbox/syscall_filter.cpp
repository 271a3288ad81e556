#include "sandbox/syscall_filter.h"

#include <linux/mount.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "base/memory_file.h"
#include "sandbox/forbidden_calls.h"

namespace mayfly::sandbox {
namespace {

/// What programs do with their own memory, files, sockets, processes and time. Names that an architecture or
/// the library does not know are passed over. io_uring is not here: what it does is not seen by any filter;
/// nor is io_setup, whose contexts are counted for the whole machine (fs.aio-max-nr); nor are System V IPC
/// and POSIX message queues: what is made with them belongs to no process and would outlive every instance.
constexpr std::string_view kAllowed =
    // files
    "read write open close stat fstat lstat lseek pread64 pwrite64 readv writev access dup dup2 dup3 "
    "sendfile fcntl "
    "flock fsync fdatasync truncate ftruncate getdents getdents64 getcwd chdir fchdir rename mkdir rmdir "
    "creat link "
    "unlink symlink readlink chmod fchmod chown fchown lchown umask statfs fstatfs sync readahead setxattr "
    "lsetxattr "
    "fsetxattr getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr removexattr lremovexattr "
    "fremovexattr "
    "utime utimes openat mkdirat mknodat mknod fchownat futimesat newfstatat fstatat64 unlinkat renameat "
    "linkat symlinkat "
    "readlinkat fchmodat fchmodat2 faccessat faccessat2 splice tee sync_file_range vmsplice utimensat "
    "fallocate preadv "
    "pwritev preadv2 pwritev2 renameat2 copy_file_range statx fadvise64 close_range openat2 syncfs "
    "inotify_init "
    "inotify_init1 inotify_add_watch inotify_rm_watch cachestat name_to_handle_at "
    // waiting
    "poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 "
    "eventfd "
    "eventfd2 signalfd signalfd4 timerfd_create timerfd_settime timerfd_gettime pipe pipe2 "
    // sockets; socket() itself by family
    "connect accept accept4 sendto recvfrom sendmsg recvmsg sendmmsg recvmmsg shutdown bind listen "
    "getsockname "
    "getpeername setsockopt getsockopt "
    // memory
    "mmap mprotect munmap brk mremap msync mincore madvise mlock mlock2 munlock mlockall munlockall "
    "memfd_create "
    "membarrier pkey_mprotect pkey_alloc pkey_free mbind get_mempolicy set_mempolicy remap_file_pages "
    // processes and threads; clone(), kill() and priorities by their arguments
    "fork vfork execve execveat exit exit_group wait4 waitid tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo "
    "pidfd_open "
    "pidfd_send_signal process_mrelease set_tid_address set_robust_list get_robust_list rseq futex "
    "futex_waitv "
    "restart_syscall sched_yield sched_setparam sched_getparam sched_setscheduler sched_getscheduler "
    "sched_get_priority_max sched_get_priority_min sched_rr_get_interval sched_setaffinity sched_getaffinity "
    "sched_setattr sched_getattr getpriority ioprio_get getcpu arch_prctl "
    "set_thread_area "
    "get_thread_area prctl "
    // signals
    "rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend sigaltstack pause "
    // time
    "nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time times getitimer setitimer alarm "
    "timer_create timer_settime timer_gettime timer_getoverrun timer_delete "
    // who and what it is
    "getpid getppid gettid getuid geteuid getgid getegid getgroups getresuid getresgid setuid setgid "
    "setreuid setregid "
    "setgroups setresuid setresgid setfsuid setfsgid setpgid getpgid getpgrp setsid getsid capget capset "
    "uname sysinfo "
    "ioctl getrlimit setrlimit getrusage getrandom seccomp landlock_create_ruleset "
    "landlock_add_rule "
    "landlock_restrict_self";

/// What programs ask for when they look around, and live without.
constexpr std::string_view kRefused = "adjtimex clock_adjtime migrate_pages move_pages";

constexpr auto kNewNamespaces =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
/// IOPRIO_WHO_PROCESS of ioprio_set(2), which no header of the C library has.
constexpr unsigned kIoprioProcess = 1;
/// The type of a socket, without its flags.
constexpr unsigned kTypeMask = 0xf;

using Context = std::unique_ptr<void, decltype(&seccomp_release)>;

/// The library's own macros are C.
scmp_arg_cmp argument(unsigned index, scmp_compare how, std::uint64_t value, std::uint64_t masked = 0) {
  return {index, how, value, masked};
}

/// Adds rules to a filter; ok() is false after the first that the library refused.
class Rules {
 public:
  explicit Rules(scmp_filter_ctx context) : context_(context) {}
  void add(std::uint32_t action, const char* name, std::initializer_list<scmp_arg_cmp> when = {}) {
    const int call = seccomp_syscall_resolve_name(name);
    if (call == __NR_SCMP_ERROR || call < 0) return;
    ok_ = ok_ && seccomp_rule_add_array(context_, action, call, static_cast<unsigned>(when.size()),
                                        when.begin()) == 0;
  }
  void add_all(std::uint32_t action, std::string_view names) {
    while (!names.empty()) {
      const auto name = names.substr(0, names.find(' '));
      if (!name.empty()) add(action, std::string(name).c_str());
      names.remove_prefix(std::min(names.size(), name.size() + 1));
    }
  }
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  scmp_filter_ctx context_;
  bool ok_ = true;
};

std::uint32_t refuse(int error) { return SCMP_ACT_ERRNO(static_cast<std::uint32_t>(error)); }

/// Of each family the protocols that programs need; the others are code of the kernel that strangers need not
/// reach. Go asks for MPTCP, and lives without where it is told that there is no such protocol.
void add_sockets(Rules& rules) {
  rules.add(SCMP_ACT_ALLOW, "socket", {argument(0, SCMP_CMP_EQ, AF_UNIX)});
  // What addresses this machine has.
  rules.add(SCMP_ACT_ALLOW, "socket",
            {argument(0, SCMP_CMP_EQ, AF_NETLINK), argument(2, SCMP_CMP_EQ, NETLINK_ROUTE)});
  rules.add(refuse(EPROTONOSUPPORT), "socket",
            {argument(0, SCMP_CMP_EQ, AF_NETLINK), argument(2, SCMP_CMP_NE, NETLINK_ROUTE)});
  struct Kind {
    unsigned type;
    unsigned protocol;
  };
  for (const unsigned family : {AF_INET, AF_INET6}) {
    for (const auto& [type, protocol] : {Kind{SOCK_STREAM, IPPROTO_TCP}, Kind{SOCK_DGRAM, IPPROTO_UDP}}) {
      const auto of_family = argument(0, SCMP_CMP_EQ, family);
      const auto of_type = argument(1, SCMP_CMP_MASKED_EQ, kTypeMask, type);
      for (const unsigned allowed : {0U, protocol})
        rules.add(SCMP_ACT_ALLOW, "socket", {of_family, of_type, argument(2, SCMP_CMP_EQ, allowed)});
      rules.add(refuse(EPROTONOSUPPORT), "socket",
                {of_family, of_type, argument(2, SCMP_CMP_GT, protocol)});  // between: ENOSYS, as all else
    }
    rules.add(refuse(EPERM), "socket",
              {argument(0, SCMP_CMP_EQ, family), argument(1, SCMP_CMP_MASKED_EQ, kTypeMask, SOCK_RAW)});
  }
}

void add_by_argument(Rules& rules, std::uint32_t forbidden) {
  rules.add(SCMP_ACT_ALLOW, "clone", {argument(0, SCMP_CMP_MASKED_EQ, kNewNamespaces, 0)});
  for (const int bit : {CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID,
                        CLONE_NEWNET}) {
    const auto flag = static_cast<std::uint64_t>(bit);
    rules.add(forbidden, "clone", {argument(0, SCMP_CMP_MASKED_EQ, flag, flag)});
  }
  // A template's forks mount their own /tmp (temporary.cpp); for anyone without rights both fail.
  rules.add(SCMP_ACT_ALLOW, "unshare", {argument(0, SCMP_CMP_EQ, CLONE_NEWNS)});
  rules.add(forbidden, "unshare", {argument(0, SCMP_CMP_NE, CLONE_NEWNS)});
  constexpr std::uint64_t kByDescriptors = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  rules.add(SCMP_ACT_ALLOW, "move_mount", {argument(4, SCMP_CMP_EQ, kByDescriptors)});
  rules.add(forbidden, "move_mount", {argument(4, SCMP_CMP_NE, kByDescriptors)});
  // Its own limits, by no name but 0: Landlock does not keep instances from setting each other's.
  rules.add(SCMP_ACT_ALLOW, "prlimit64", {argument(0, SCMP_CMP_EQ, 0)});
  rules.add(refuse(EPERM), "prlimit64", {argument(0, SCMP_CMP_NE, 0)});
  // kill(-1): all bits are set. Whoever has one that is not names a process or a group.
  rules.add(forbidden, "kill", {argument(0, SCMP_CMP_MASKED_EQ, 0xffff'ffffU, 0xffff'ffffU)});
  for (unsigned bit = 0; bit < 32; ++bit)
    rules.add(SCMP_ACT_ALLOW, "kill", {argument(0, SCMP_CMP_MASKED_EQ, 0x8000'0000U >> bit, 0)});
  // Priorities of processes that it can name. Groups and users reach beyond its namespaces.
  for (const auto& [call, one_process] :
       {std::pair{"setpriority", unsigned{PRIO_PROCESS}}, std::pair{"ioprio_set", kIoprioProcess}}) {
    rules.add(SCMP_ACT_ALLOW, call, {argument(0, SCMP_CMP_EQ, std::uint64_t{one_process})});
    rules.add(refuse(EPERM), call, {argument(0, SCMP_CMP_NE, std::uint64_t{one_process})});
  }
  rules.add(SCMP_ACT_ALLOW, "socketpair", {argument(0, SCMP_CMP_EQ, AF_UNIX)});
  add_sockets(rules);
  for (const unsigned family : {AF_PACKET, AF_KEY, AF_ALG, AF_VSOCK, AF_XDP, AF_BLUETOOTH, AF_TIPC, AF_CAN})
    rules.add(refuse(EAFNOSUPPORT), "socket", {argument(0, SCMP_CMP_EQ, family)});
}

}  // namespace

Result<Fd> make_filter(Forbidden what) {
  const auto forbidden = what == Forbidden::ends ? SCMP_ACT_TRAP : SCMP_ACT_ERRNO(std::uint32_t{EPERM});
  const Context context(seccomp_init(SCMP_ACT_ERRNO(ENOSYS)), &seccomp_release);
  if (!context) return fail_errno("make a seccomp filter", ENOMEM);
  seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a binary tree
  Rules rules(context.get());
  rules.add_all(SCMP_ACT_ALLOW, kAllowed);
  rules.add_all(SCMP_ACT_ERRNO(EPERM), kRefused);
  add_by_argument(rules, forbidden);
  constexpr std::array kByArgument{"clone", "unshare", "move_mount", "kill"};
  for (const auto& call : forbidden_calls())
    if (std::ranges::find(kByArgument, std::string_view(call.name)) == kByArgument.end())
      rules.add(forbidden, call.name);
  if (!rules.ok()) return fail_errno("make a seccomp filter", EINVAL);
  const Fd program(::memfd_create("filter", MFD_CLOEXEC));
  if (!program || seccomp_export_bpf(context.get(), program.get()) != 0)
    return fail_errno("write a seccomp filter");
  auto text = read_all(program.get());
  if (!text) return propagate(text);
  return sealed_file("filter", *text);
}

}  // namespace mayfly::sandbox
