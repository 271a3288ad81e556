// Random bits for ids that cannot be guessed.
#pragma once

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>

namespace mayfly::events {

/// 52 bits at a time from the kernel, which is asked for many at once: a system call for each would be the
/// larger part of what an id costs. One thread.
class RandomChecks {
 public:
  [[nodiscard]] std::uint64_t next() {
    if (left_ == 0) fill();
    return numbers_[--left_] >> 12U;
  }

 private:
  void fill() {
    // Up to 256 bytes come whole, or not at all (getrandom(2)).
    while (::getrandom(numbers_.data(), sizeof numbers_, 0) != static_cast<ssize_t>(sizeof numbers_))
      if (errno != EINTR) std::abort();  // no randomness: nothing may go on
    left_ = numbers_.size();
  }

  std::array<std::uint64_t, 32> numbers_{};
  std::size_t left_ = 0;
};

}  // namespace mayfly::events
