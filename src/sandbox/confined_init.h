// The first process of a confined command's namespaces: sets them up, runs the command, reaps, reports.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/fd.h"
#include "sandbox/build_user.h"
#include "sandbox/confined.h"
#include "sandbox/mount_plan.h"

namespace mayfly::sandbox {

/// What the init says last, through a pipe that the command does not have.
struct InitReport {
  enum class What : int { step_failed, not_executed, ended } what = What::ended;
  int value = 0;  ///< errno, or the command's wait status
  bool own_proc = true;
  std::array<char, 32> step{};  ///< name of what failed, a C string
};

/// Made in the daemon, with everything that would allocate; main() runs in the child.
class ConfinedInit {
 public:
  ConfinedInit(const ConfinedCommand& command, const BuildUser& user, std::uint64_t namespaces);

  /// The daemon's ends of pipes that the caller keeps open until the clone.
  int go = -1;      ///< main() waits here for one byte: its user namespace is mapped
  int output = -1;  ///< of the command
  int report = -1;  ///< takes one InitReport
  int filter = -1;  ///< of make_filter(); -1: the kernel has none

  /// Async-signal-safe, as all below it. All signals are blocked.
  [[noreturn]] void main() noexcept;

 private:
  [[noreturn]] void fail(const char* step) noexcept;
  void close_others() noexcept;
  void join_groups() noexcept;
  void become_user() noexcept;
  void end_with_parent() noexcept;
  void set_limits() noexcept;
  [[noreturn]] void execute() noexcept;
  void send(InitReport::What what, int value, const char* step = "") noexcept;

  const ConfinedCommand& command_;
  const uid_t user_;
  const bool other_user_;
  const std::uint64_t namespaces_;
  MountPlan mounts_;
  std::vector<std::string> candidates_;  ///< what may be executed, in order
  std::vector<char*> argv_;
  std::vector<char*> environment_;
  Fd null_;
  std::vector<int> kept_;  ///< room for all that close_others() keeps
  bool own_proc_ = true;
};

}  // namespace mayfly::sandbox
