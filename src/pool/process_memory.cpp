#include "pool/process_memory.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <initializer_list>
#include <limits>
#include <string>

#include "base/proc.h"

namespace mayfly::pool {
namespace {

/// The sum of some fields of a file with lines like "Private_Dirty:   123 kB", as it stands there.
std::uint64_t sum_of(const std::string& file, std::initializer_list<std::string_view> fields) {
  std::ifstream stream(file);
  std::uint64_t sum = 0;
  for (std::string name; stream >> name;) {
    std::uint64_t value = 0;
    for (const auto field : fields)
      if (name == field && stream >> value) sum += value;
    stream.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return sum;
}

/// KiB of files in memory (datasets) that the process alone has mapped, and which stay when it ends. Of its
/// pages of such files R, p it has alone, and the others with k - 1 others: their proportional size is p + (R
/// - p) / k. Exact for p = R, p = 0 and k = 2, and never too much.
std::uint64_t files_in_memory(const std::string& folder) {
  const auto all = sum_of(folder + "/status", {"RssShmem:"});
  const auto twice = 2 * sum_of(folder + "/smaps_rollup", {"Pss_Shmem:"});
  return twice > all ? twice - all : 0;
}

}  // namespace

std::uint64_t private_memory(int pid) {
  const auto folder = "/proc/" + std::to_string(pid);
  const auto pages =
      sum_of(folder + "/smaps_rollup", {"Private_Clean:", "Private_Dirty:", "Private_Hugetlb:"});
  const auto lent = std::min(pages, files_in_memory(folder));
  return pages == 0 ? 0 : (pages - lent + sum_of(folder + "/status", {"VmPTE:"})) * 1024;
}

std::uint64_t anonymous_memory(int pid) {
  static const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  ProcBuffer buffer;
  auto text = read_proc("/proc/" + std::to_string(pid) + "/statm", buffer);
  (void)take_number(text);  // its size
  const auto resident = take_number(text);
  const auto shared = take_number(text);  // files and shared memory
  return resident && shared ? (*resident - std::min(*resident, *shared)) * page : 0;
}

std::uint64_t template_memory(int pid, std::uint64_t copied) {
  const auto alone = private_memory(pid);
  const auto status = "/proc/" + std::to_string(pid) + "/status";
  const auto parent = sum_of(status, {"PPid:"});
  const auto own = sum_of(status, {"RssAnon:"});
  const auto its = sum_of("/proc/" + std::to_string(parent) + "/status", {"RssAnon:"});
  if (alone == 0 || its == 0) return alone;
  return std::max(alone, copied + (own > its ? own - its : 0) * 1024);
}

}  // namespace mayfly::pool
