// What a process needs between clone(2) and execve(2), when it was made by a process with threads: only calls
// that are async-signal-safe, and nothing that allocates.
#pragma once

#include <csignal>
#include <string>
#include <vector>

namespace mayfly {

/// Pointers to the strings and a null, as execve(2) wants them. They live as long as the strings.
[[nodiscard]] std::vector<char*> c_strings(const std::vector<std::string>& strings);

/// Blocks all signals of this thread while it lives: no handler of the parent's may run in a child.
class SignalsBlocked {
 public:
  SignalsBlocked() noexcept;
  ~SignalsBlocked();
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

/// In the child, before it executes: all signals at their defaults, none blocked.
void reset_signals() noexcept;

}  // namespace mayfly
