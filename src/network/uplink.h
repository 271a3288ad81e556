// The uplink: slirp4netns(1), which carries what leaves the router to sockets of the host, as an ordinary
// process would open them. The host's own routes, firewall and settings are not touched, and no rights over
// them are needed.
#pragma once

#include <string>

#include "base/child.h"
#include "network/error.h"

namespace mayfly::network {

/// What this host does not have and outbound networks need, as far as it can be seen without making one: a
/// program, or /dev/net/tun. Empty: nothing.
[[nodiscard]] std::string lacking_for_outbound();

/// A running slirp4netns; ends with this, and with the thread that started it.
class Uplink {
 public:
  /// In the calling thread's namespace, which has the host's network, with the other end in `router`. Returns
  /// when it is up; blocks, 10 s at most. Errors: missing_tool; refused, with its last words.
  [[nodiscard]] static Result<Uplink> start(int router);

  /// Readable when it has ended.
  [[nodiscard]] int pidfd() const { return child_.pidfd(); }
  /// Readable when it has said something: then call listen().
  [[nodiscard]] int words_fd() const { return words_.get(); }
  /// Takes what it has said. Never waits.
  void listen();
  [[nodiscard]] bool ended() { return child_.try_wait().has_value(); }
  /// How it ended, with its last words; waits for that.
  [[nodiscard]] std::string end();

 private:
  Uplink() = default;
  [[nodiscard]] bool wait_ready(int ready);

  Child child_;
  Fd words_;
  std::string last_words_;
};

}  // namespace mayfly::network
