#include "base/raw_child.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>

namespace mayfly {

std::vector<char*> c_strings(const std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (const auto& s : strings) result.push_back(const_cast<char*>(s.c_str()));
  result.push_back(nullptr);
  return result;
}

SignalsBlocked::SignalsBlocked() noexcept {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before_);
}

SignalsBlocked::~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

void reset_signals() noexcept {
  // By the kernel's own call: sigaction() refuses the two signals that the C library keeps for itself (32 and
  // 33), and who started us may have left them ignored. A structure of zeroes says SIG_DFL.
  constexpr std::array<unsigned long, 4> by_default{};
  for (int signal = 1; signal < NSIG; ++signal)
    ::syscall(SYS_rt_sigaction, signal, by_default.data(), nullptr, sizeof(std::uint64_t));
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace mayfly
