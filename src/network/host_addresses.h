// The addresses that lead to the host itself.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "network/error.h"

namespace mayfly::network {

/// Of the network namespace in which it was opened and is asked. One thread.
class HostAddresses {
 public:
  [[nodiscard]] static Result<HostAddresses> open();

  /// Readable when some may have changed: then ask changed().
  [[nodiscard]] int fd() const { return socket_.get(); }
  /// Takes what the kernel has reported; whether local addresses are among it. Never waits.
  [[nodiscard]] bool changed();
  /// "192.168.0.5", "127.0.0.0/8": IPv4 as the kernel's tables have it, so that a whole range that is local
  /// (ip route add local …) counts too. Blocks for milliseconds.
  [[nodiscard]] Result<std::vector<std::string>> list() const;

 private:
  HostAddresses() = default;
  std::string ip_;
  Fd socket_;
};

}  // namespace mayfly::network
