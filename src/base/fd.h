// Fd: the one owner of a file descriptor.
#pragma once

#include <unistd.h>

#include <utility>

#include "base/result.h"

namespace mayfly {

/// Owns a descriptor and closes it. Move-only. Made close-on-exec by whoever opens it.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) noexcept : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  void reset() noexcept {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_ = -1;
};

struct FdPair {
  Fd ours;
  Fd theirs;
};

/// A connected AF_UNIX pair (SOCK_STREAM, SOCK_SEQPACKET), close-on-exec; `ours` is non-blocking.
[[nodiscard]] Result<FdPair> socket_pair(int type);

}  // namespace mayfly
