#include "pool/instance_usage.h"

#include <dirent.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/proc.h"
#include "pool/process_memory.h"

namespace mayfly::pool {
namespace {

std::string folder_of(int pid) { return "/proc/" + std::to_string(pid); }

/// As far as it decides what is a process's own.
struct Process {
  std::uint64_t anonymous = 0;  ///< bytes
  ProcessStat stat{};
};

Process look_at(int pid) {
  Process process;
  process.anonymous = anonymous_memory(pid);
  process.stat = stat_of(pid).value_or(ProcessStat{});
  return process;
}

/// What a process has more than one that it was forked from, perhaps by others.
std::uint64_t own_memory(const Process& process, const Process& origin) {
  if (process.stat.start_code != origin.stat.start_code) return process.anonymous;
  return process.anonymous - std::min(process.anonymous, origin.anonymous);
}

/// The number behind a name in a file of /proc; 0: it is not there.
std::uint64_t number_of(std::string_view text, std::string_view name) {
  const auto at = text.find(name);
  if (at == std::string_view::npos) return 0;
  text.remove_prefix(at + name.size());
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  return take_number(text).value_or(0);
}

std::uint64_t proportional_memory(int pid) {
  ProcBuffer buffer;
  const auto text = read_proc(folder_of(pid) + "/smaps_rollup", buffer);
  return (number_of(text, "\nPss_Anon:") + number_of(text, "\nSwapPss:")) << 10U;
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

struct Tree {
  Process origin;  // what the instance was forked from
  std::vector<Visited> processes;
  std::uint64_t count = 0;  // threads, too
};

/// `see` is called for each process that is not counted beyond `most`.
template <class See>
Tree walk(int pid, std::uint64_t most, See see) {
  Tree tree{look_at(look_at(pid).stat.parent), {}};
  tree.processes.push_back({pid, tree.origin});
  for (std::size_t i = 0; i < tree.processes.size() && tree.count <= most; ++i) {
    const auto [one, parent] = tree.processes[i];
    const auto process = look_at(one);
    see(one, process, parent, tree.origin);
    tree.count += visit(one, process, most - tree.count, tree.processes);
  }
  return tree;
}

}  // namespace

InstanceUsage measure_instance(int pid, std::uint64_t most_processes) {
  InstanceUsage usage;
  const auto add = [&](int, const Process& process, const Process& parent, const Process& origin) {
    usage.memory += own_memory(process, parent);
    usage.memory_most += own_memory(process, origin);
  };
  usage.processes = walk(pid, most_processes, add).count;
  return usage;
}

std::uint64_t measure_memory(int pid, std::uint64_t most_processes) {
  std::uint64_t memory = 0;
  const auto add = [&](int one, const Process&, const Process&, const Process&) {
    memory += proportional_memory(one);
  };
  const auto tree = walk(pid, most_processes, add);
  return memory - std::min(memory, tree.origin.anonymous);
}

}  // namespace mayfly::pool
