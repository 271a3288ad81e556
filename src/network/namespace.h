// Network namespaces (network_namespaces(7)), of the calling thread alone: threads of one process can be in
// several.
#pragma once

#include <string>

#include "base/fd.h"
#include "network/error.h"

namespace mayfly::network {

/// The one that the calling thread is in. It lasts as long as a descriptor or a process holds it: it has no
/// name.
[[nodiscard]] Result<Fd> this_namespace();
/// The calling thread enters it.
[[nodiscard]] Result<void> enter_namespace(int ns);
/// A new one, which the calling thread has entered. Needs CAP_SYS_ADMIN.
[[nodiscard]] Result<Fd> new_namespace();

/// Waits until a link of the calling thread's namespace carries packets, 2 s at most: the kernel is told that
/// its other end is up, and drops what is sent until it has come to that.
[[nodiscard]] Result<void> wait_until_up(const std::string& link);

/// The calling thread is in `there` as long as this lives, and in `back` afterwards.
class Visit {
 public:
  Visit(int there, int back);
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;
  ~Visit();

  [[nodiscard]] bool entered() const { return entered_; }

 private:
  int back_;
  bool entered_;
};

}  // namespace mayfly::network
