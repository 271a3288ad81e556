// The fork server: the loop in which a runtime process and every template spend their lives, frozen,
// making a child on each request of the daemon. Linked into every runtime; single-threaded.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/fd.h"
#include "base/fork_guard.h"
#include "wire/control.h"

namespace mayfly::tmpl {

/// What a forked child is born with, besides its files (wire::kFirstFile).
struct ForkedChild {
  std::string payload;  ///< the JSON that the daemon sent for it
  Fd channel;           ///< its control socket (template) or data socket (instance)
  Fd log;               ///< its log socket; descriptors 1 and 2 are copies of it
  Fd offers{};          ///< its page of wire::Offers, if it gets one
};

/// A child first enters the box that the request has (sandbox/enter.h), or gives up its rights.
///
/// Serves one control socket. If the daemon closes it, the process ends.
///
/// What a child leaves behind when it ends (processes that it started) ends with it. Those that this process
/// had before it began to serve are its own. A process that loses its parent belongs to the child below which
/// it was started, so that the end of another child is none of its business.
class ForkServer {
 public:
  explicit ForkServer(Fd control)
      : control_(std::move(control)),
        guard_([](void* self) { static_cast<ForkServer*>(self)->control_.reset(); }, this) {}

  /// Blocks and forks. Returns only in a child, which owns nothing of its parent's control socket,
  /// and will be killed when the parent dies.
  [[nodiscard]] ForkedChild run();

  /// Tell the daemon something about this process (ready, failed), before run().
  [[nodiscard]] Result<void> report(wire::ControlType type, std::string_view json);

 private:
  [[nodiscard]] bool serve_one(ForkedChild& child);
  [[nodiscard]] pid_t fork_for(const wire::ControlMessage& request);
  void report_ended_children();
  void end_orphans();
  [[nodiscard]] int patience() const;
  void become_child(wire::ControlMessage& request, pid_t parent, ForkedChild& child);

  Fd control_;
  ForkGuard guard_;  // no child speaks on the control socket, one that code made while it was loading least
  struct Running {
    std::uint64_t token;  // the daemon's name for it
    Fd pidfd;
  };
  Fd epoll_;
  Fd own_pids_;  // this process's PID namespace
  std::vector<pid_t> own_children_;
  bool orphans_left_ = false;  // some were faster; they are tried again
  std::unordered_map<pid_t, Running> children_;
};

}  // namespace mayfly::tmpl
