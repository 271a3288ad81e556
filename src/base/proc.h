// Files of /proc about processes, without streams: a process may end between open and read, and a stream's
// buffer throws then.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mayfly {

/// Room for any of the files that are read here.
using ProcBuffer = std::array<char, 4096>;

/// What a small file of /proc holds, in `buffer`; empty if it cannot be read. Any thread.
[[nodiscard]] std::string_view read_proc(const std::string& path, ProcBuffer& buffer);

/// The next whole number of a text, which is taken off it; nothing: there is none.
[[nodiscard]] std::optional<std::uint64_t> take_number(std::string_view& text);

/// Adds the numbers in a list of children of a task ("/proc/PID/task/TID/children") to `children`.
void append_children(const std::string& path, std::vector<pid_t>& children);

/// Of /proc/PID/stat, as far as it is used (proc_pid_stat(5)).
struct ProcessStat {
  char state = 0;  ///< R running or about to, S and D waiting, T stopped, Z ended, …
  pid_t parent = 0;
  std::uint64_t started = 0;     ///< hundredths of a second after the machine
  std::uint64_t start_code = 0;  ///< where its program begins: by chance, so a fork alone has its parent's
};
/// Nothing: there is no such process.
[[nodiscard]] std::optional<ProcessStat> stat_of(pid_t pid);

}  // namespace mayfly
