#include "datasets.h"

#include <algorithm>
#include <span>
#include <utility>

#include "bridge/dataset.h"

namespace mayfly::native {
namespace {

struct Mapped {
  GivenDataset given;
  std::span<const std::byte> bytes;
};

/// Never destroyed: static destructors of the function may still read.
std::vector<Mapped>& mapped() {
  static auto* const all = new std::vector<Mapped>;
  return *all;
}

const Mapped* find(std::string_view name) {
  const auto found = std::ranges::find(mapped(), name, [](const Mapped& each) { return each.given.name; });
  return found != mapped().end() ? &*found : nullptr;
}

}  // namespace

Result<void> map_datasets(std::vector<GivenDataset> given) {
  for (auto& each : given) {
    auto bytes = bridge::map_dataset(Fd(each.descriptor), each.size, bridge::DatasetAccess::read);
    if (!bytes) return fail(bytes.error().code, "the dataset '" + each.name + "': " + bytes.error().message);
    mapped().push_back({std::move(each), *bytes});
  }
  return {};
}

mayfly_text find_dataset(std::string_view name) {
  const auto* found = find(name);
  if (found == nullptr) return {nullptr, 0};
  if (found->bytes.empty()) return {"", 0};
  return {reinterpret_cast<const char*>(found->bytes.data()), found->bytes.size()};
}

bool find_dataset_file(std::string_view name, std::size_t index, mayfly_dataset_file& file) {
  const auto* found = find(name);
  if (found == nullptr || index >= found->given.files.size()) return false;
  const auto& its = found->given.files[index];
  file = {{its.name.data(), its.name.size()}, its.offset, its.size};
  return true;
}

}  // namespace mayfly::native
