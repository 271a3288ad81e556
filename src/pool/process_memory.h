// What a process costs the machine.
#pragma once

#include <cstdint>

namespace mayfly::pool {

/// Bytes that would be free if the process ended: its pages that no other process shares, but for those of
/// files in memory, and its page tables. 0: not known (it is gone, or not ours to read). Takes up to some
/// milliseconds: the kernel walks the whole address space (proc_pid_smaps_rollup(5)). Any thread.
[[nodiscard]] std::uint64_t private_memory(int pid);

/// Bytes of memory of its own that a process has: heap and stacks, what it shares with its parent by
/// copy-on-write included. 0: it cannot be read. Some microseconds. Any thread.
[[nodiscard]] std::uint64_t anonymous_memory(int pid);

/// Bytes that would be free if a template and its instances ended, less what the instances have for
/// themselves. The kernel does not show with whom pages are shared, so while there are instances it is an
/// estimate: what the template has more than the process it was forked from, and `copied` for the pages of
/// that one which it has written to. 0: not known. Any thread.
[[nodiscard]] std::uint64_t template_memory(int pid, std::uint64_t copied);

}  // namespace mayfly::pool
