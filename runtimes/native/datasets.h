// The datasets that this function lists, in this process's memory.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "mayfly.h"

namespace mayfly::native {

/// A dataset as the daemon describes it: an open descriptor of this process, and what the file holds.
struct GivenDataset {
  struct File {
    std::string name;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
  };
  std::string name;
  int descriptor = -1;
  std::uint64_t size = 0;
  std::vector<File> files;
};

/// Maps them and closes their descriptors. Once, before any user code; forks have them too. The error says
/// which one it was.
[[nodiscard]] Result<void> map_datasets(std::vector<GivenDataset> given);

/// As mayfly_dataset() and mayfly_dataset_file_at() have them. Any thread, after map_datasets().
[[nodiscard]] mayfly_text find_dataset(std::string_view name);
[[nodiscard]] bool find_dataset_file(std::string_view name, std::size_t index, mayfly_dataset_file& file);

}  // namespace mayfly::native
