// What a process costs the machine.
#pragma once

#include <cstdint>

namespace mayfly::pool {

/// Bytes that would be free if the process ended: its pages that no other process shares, and its page
/// tables. 0: not known (it is gone, or not ours to read). Takes up to some milliseconds: the kernel walks
/// the whole address space (proc_pid_smaps_rollup(5)). Any thread.
[[nodiscard]] std::uint64_t private_memory(int pid);

}  // namespace mayfly::pool
