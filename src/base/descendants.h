// What is below a process: stopped and ended, with no right to wait for any of it. Each may end while it is
// looked at, and its number may be given to a stranger: no signal is sent by a number alone.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace mayfly {

/// A process for longer than its number is sure to be its own: a number is given again only after thousands
/// of others, so two processes that had the same did not start in the same hundredth of a second.
struct KnownProcess {
  pid_t pid = 0;
  std::uint64_t started = 0;  ///< as ProcessStat has it
};

/// The process that has this number now; nothing: there is none.
[[nodiscard]] std::optional<KnownProcess> known_process(pid_t pid);

/// Sends it a signal. False: it could not be sent; if the process is gone, then nobody has got it.
bool send_signal(const KnownProcess& process, int signal);

/// Stops some processes and all below them, and gives the list of all: a parent comes before its children.
/// Needs the right to signal them. Waits up to some seconds until none is in the middle of a fork.
[[nodiscard]] std::vector<KnownProcess> stop_with_descendants(const std::vector<KnownProcess>& roots);

/// Stops the process behind a pidfd and all below it, then kills what is below it. The process itself stays
/// stopped: the caller is about to kill it. Nothing happens if it has ended. What got away (a fork that was
/// under way) becomes a stray (reap.h).
void end_descendants(int pidfd);

}  // namespace mayfly
