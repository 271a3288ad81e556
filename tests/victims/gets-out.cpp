// Makes the system call that the path's last part names, each in its own way, or takes too much. Answers
// "ESCAPED" or "refused: error". Every bomb ends by itself.
#include <mayfly.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

namespace {

long of_32_bits(long number) {
  long result = -ENOSYS;
#if defined(__x86_64__)
  asm volatile("int $0x80" : "=a"(result) : "a"(number), "b"(0), "c"(0), "d"(0) : "memory");
#endif
  return result;
}

constexpr int kLongest = 20;  // s

/// At most 300 processes.
long forks() {
  for (int i = 0; i < 300; ++i)
    if (fork() == 0) {
      setsid();
      sleep(kLongest);
      _exit(0);
    }
  return sleep(1);
}

/// At most 512 MiB.
long eats_memory() {
  std::vector<std::string> kept;
  while (kept.size() < 128) kept.emplace_back(4U << 20U, 'x');
  return sleep(1);
}

long loops() {
  for (const auto end = time(nullptr) + kLongest; time(nullptr) < end;) {
  }
  return 0;
}

long attempt(const std::string& name) {
  if (name == "forks") return forks();
  if (name == "eats_memory") return eats_memory();
  if (name == "loops") return loops();
  if (name == "stops") return kill(getpid(), SIGSTOP);
  if (name == "ptrace") return ptrace(PTRACE_ATTACH, getppid(), nullptr, nullptr);
  if (name == "mount") return mount("none", "/tmp", "tmpfs", 0, nullptr);
  if (name == "unshare") return unshare(CLONE_NEWUSER);
  if (name == "mounts-of-its-own") return unshare(CLONE_NEWNS);
  if (name == "clone") return syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (name == "clone3") return syscall(SYS_clone3, nullptr, 88);
  if (name == "io_uring") return syscall(SYS_io_uring_setup, 8, nullptr);
  if (name == "io_setup") {
    unsigned long context = 0;
    return syscall(SYS_io_setup, 8, &context);
  }
  if (name == "32-bit") return of_32_bits(20);  // getpid
  if (name == "x32") return syscall(0x40000000 + SYS_getpid);
  return 0;
}

mayfly::Response handle(const mayfly::Request& request) {
  const std::string path(request.path());
  const auto name = path.substr(path.rfind('/') + 1);
  if (name == "fine") return {200, "fine"};
  errno = 0;
  const long result = attempt(name);
  return {200, result >= 0 ? "ESCAPED"
                           : std::string("refused: ") + (errno == ENOSYS  ? "ENOSYS"
                                                         : errno == EPERM ? "EPERM"
                                                                          : std::strerror(errno))};
}

}  // namespace

MAYFLY_HANDLER(handle)
