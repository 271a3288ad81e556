#include "pool/process_memory.h"

#include <fstream>
#include <initializer_list>
#include <limits>
#include <string>

namespace mayfly::pool {
namespace {

/// The sum of some fields of a file with lines like "Private_Dirty:   123 kB".
std::uint64_t sum_of(const std::string& file, std::initializer_list<std::string_view> fields) {
  std::ifstream stream(file);
  std::uint64_t kib = 0;
  for (std::string name; stream >> name;) {
    std::uint64_t value = 0;
    for (const auto field : fields)
      if (name == field && stream >> value) kib += value;
    stream.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return kib * 1024;
}

}  // namespace

std::uint64_t private_memory(int pid) {
  const auto folder = "/proc/" + std::to_string(pid);
  const auto pages =
      sum_of(folder + "/smaps_rollup", {"Private_Clean:", "Private_Dirty:", "Private_Hugetlb:"});
  return pages == 0 ? 0 : pages + sum_of(folder + "/status", {"VmPTE:"});
}

}  // namespace mayfly::pool
