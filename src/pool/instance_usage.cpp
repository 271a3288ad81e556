#include "pool/instance_usage.h"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/proc.h"

namespace mayfly::pool {
namespace {

std::string folder_of(int pid) { return "/proc/" + std::to_string(pid); }

/// As far as it decides what is a process's own.
struct Process {
  std::uint64_t anonymous = 0;  ///< bytes
  ProcessStat stat{};
};

Process look_at(int pid) {
  static const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  Process process;
  ProcBuffer buffer;
  auto text = read_proc(folder_of(pid) + "/statm", buffer);
  (void)take_number(text);  // its size
  const auto resident = take_number(text);
  const auto shared = take_number(text);  // files and shared memory
  if (resident && shared) process.anonymous = (*resident - std::min(*resident, *shared)) * page;
  process.stat = stat_of(pid).value_or(ProcessStat{});
  return process;
}

/// What a process has more than the one that it was forked from.
std::uint64_t own_memory(const Process& process, const Process& parent) {
  if (process.stat.start_code != parent.stat.start_code) return process.anonymous;
  return process.anonymous - std::min(process.anonymous, parent.anonymous);
}

struct Visited {
  int pid;
  Process parent;
};

/// Adds a process's children to a list, and gives the number of its threads; it does not count on when there
/// are more than `most`.
std::uint64_t visit(int pid, const Process& process, std::uint64_t most, std::vector<Visited>& list) {
  struct Close {
    void operator()(DIR* folder) const { ::closedir(folder); }
  };
  const auto path = folder_of(pid) + "/task";
  const std::unique_ptr<DIR, Close> tasks(::opendir(path.c_str()));
  if (!tasks) return 0;
  std::uint64_t threads = 0;
  ProcBuffer buffer;
  while (const dirent* task = ::readdir(tasks.get())) {
    if (task->d_name[0] == '.') continue;
    if (++threads > most) break;
    auto children = read_proc(path + "/" + task->d_name + "/children", buffer);
    while (const auto child = take_number(children)) list.push_back({static_cast<int>(*child), process});
  }
  return threads;
}

}  // namespace

InstanceUsage measure_instance(int pid, std::uint64_t most_processes) {
  InstanceUsage usage;
  std::vector<Visited> tree{{pid, look_at(look_at(pid).stat.parent)}};
  for (std::size_t i = 0; i < tree.size() && usage.processes <= most_processes; ++i) {
    const auto [one, parent] = tree[i];
    const auto process = look_at(one);
    usage.memory += own_memory(process, parent);
    usage.processes += visit(one, process, most_processes - usage.processes, tree);
  }
  return usage;
}

}  // namespace mayfly::pool
