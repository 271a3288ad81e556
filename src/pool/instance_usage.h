// What one instance uses, with all that it started.
#pragma once

#include <cstdint>

namespace mayfly::pool {

struct InstanceUsage {
  std::uint64_t memory = 0;     ///< bytes
  std::uint64_t processes = 0;  ///< and threads
};

/// What counts as an instance's memory: anonymous pages (heap, stacks) that it has more than its template, or
/// than whatever it was forked from; and of each process that it started the same, or all of them if that has
/// executed another program. What does not: what it still shares with its template, copies of such pages (at
/// most as much as the template has), mapped files, and memory that is shared or in no process (/tmp, a
/// memfd): these count in the control group of the version alone.
///
/// The kernel's own counters say that without a lock of the process (proc_pid_statm(5)). Exact figures
/// (smaps_rollup) need one, and a process that forks all the time keeps whoever asks waiting.
///
/// Some ten microseconds for each process. Ends early when there are more processes and threads than
/// `most_processes`: then more than these are counted, and their memory perhaps not all. What cannot be read
/// (it has ended) counts nothing. Any thread.
[[nodiscard]] InstanceUsage measure_instance(int pid, std::uint64_t most_processes);

}  // namespace mayfly::pool
