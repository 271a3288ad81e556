// What one instance uses, with all that it started.
#pragma once

#include <cstdint>

namespace mayfly::pool {

struct InstanceUsage {
  std::uint64_t memory = 0;     ///< bytes; at least so much …
  std::uint64_t processes = 0;  ///< and threads
  /// … and at most so much: what its processes share with each other, and may have copied, counts for each.
  std::uint64_t memory_most = 0;
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

/// The bytes that lie between the two: a page that several processes share counts once (PSS of anonymous
/// pages and of swap, proc_pid_smaps(5)). What its template has is taken off. Some milliseconds for 100 MiB
/// of each process, and waits for processes that fork. Any thread.
[[nodiscard]] std::uint64_t measure_memory(int pid, std::uint64_t most_processes);

}  // namespace mayfly::pool
