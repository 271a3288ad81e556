#include "pool/instance_usage.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

namespace mayfly::pool {
namespace {

/// A small file of /proc; empty if it cannot be read.
std::string_view read_small(const std::string& path, std::array<char, 4096>& buffer) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return {};
  const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
  return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
}

/// The next whole number of a text, which is taken off it; false: there is none.
bool take_number(std::string_view& text, std::uint64_t& number) {
  const auto start = text.find_first_of("0123456789");
  if (start == std::string_view::npos) return false;
  const auto [end, error] = std::from_chars(text.data() + start, text.data() + text.size(), number);
  if (error != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

std::string folder_of(int pid) { return "/proc/" + std::to_string(pid); }

/// As far as it decides what is a process's own.
struct Process {
  std::uint64_t anonymous = 0;   ///< bytes
  std::uint64_t start_code = 0;  ///< where its program begins: by chance, so a fork alone has its parent's
  int parent = 0;
};

Process look_at(int pid) {
  static const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  Process process;
  std::array<char, 4096> buffer;
  auto text = read_small(folder_of(pid) + "/statm", buffer);
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  std::uint64_t shared = 0;  // files and shared memory
  if (take_number(text, size) && take_number(text, resident) && take_number(text, shared))
    process.anonymous = (resident - std::min(resident, shared)) * page;
  // The name of the program may hold anything, also brackets: proc_pid_stat(5).
  auto rest = read_small(folder_of(pid) + "/stat", buffer);
  rest.remove_prefix(std::min(rest.rfind(')'), rest.size()));
  constexpr int kParent = 4;
  constexpr int kStartCode = 26;
  std::uint64_t value = 0;
  for (int field = kParent; field <= kStartCode && take_number(rest, value); ++field) {
    if (field == kParent) process.parent = static_cast<int>(value);
    if (field == kStartCode) process.start_code = value;
  }
  return process;
}

/// What a process has more than the one that it was forked from.
std::uint64_t own_memory(const Process& process, const Process& parent) {
  if (process.start_code != parent.start_code) return process.anonymous;
  return process.anonymous - std::min(process.anonymous, parent.anonymous);
}

struct Visited {
  int pid;
  Process parent;
};

/// Adds a process's children to a list, and gives the number of its threads.
std::uint64_t visit(int pid, const Process& process, std::vector<Visited>& list) {
  struct Close {
    void operator()(DIR* folder) const { ::closedir(folder); }
  };
  const auto path = folder_of(pid) + "/task";
  const std::unique_ptr<DIR, Close> tasks(::opendir(path.c_str()));
  if (!tasks) return 0;
  std::uint64_t threads = 0;
  std::array<char, 4096> buffer;
  while (const dirent* task = ::readdir(tasks.get())) {
    if (task->d_name[0] == '.') continue;
    ++threads;
    auto children = read_small(path + "/" + task->d_name + "/children", buffer);
    std::uint64_t child = 0;
    while (take_number(children, child)) list.push_back({static_cast<int>(child), process});
  }
  return threads;
}

}  // namespace

InstanceUsage measure_instance(int pid, std::uint64_t most_processes) {
  InstanceUsage usage;
  std::vector<Visited> tree{{pid, look_at(look_at(pid).parent)}};
  for (std::size_t i = 0; i < tree.size() && usage.processes <= most_processes; ++i) {
    const auto [one, parent] = tree[i];
    const auto process = look_at(one);
    usage.memory += own_memory(process, parent);
    usage.processes += visit(one, process, tree);
  }
  return usage;
}

}  // namespace mayfly::pool
