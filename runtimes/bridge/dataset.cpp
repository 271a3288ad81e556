#include "bridge/dataset.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <limits>
#include <string>

namespace mayfly::bridge {
namespace {

constexpr std::size_t kHuge = 2U << 20U;

/// Why reading `size` bytes of the file's mapping could go wrong.
Result<void> check(int file, std::size_t size) {
  struct stat info{};
  if (::fstat(file, &info) != 0)
    return fail_errno("the dataset's descriptor " + std::to_string(file) + " is not open");
  const int seals = ::fcntl(file, F_GET_SEALS);
  if (seals < 0) return fail_errno("the dataset's descriptor is not of a file in memory");
  if ((seals & F_SEAL_SHRINK) == 0) return fail_errno("the dataset's file may shrink", EINVAL);
  if (static_cast<std::uint64_t>(info.st_size) < size)
    return fail_errno("the dataset is said to have " + std::to_string(size) + " bytes, but its file has " +
                          std::to_string(info.st_size),
                      EINVAL);
  return {};
}

/// Address space for `size` bytes (whole pages) from a multiple of kHuge on, with nothing in it; null: there
/// is not so much.
std::byte* reserve(std::size_t size) {
  if (size > std::numeric_limits<std::size_t>::max() - kHuge) return nullptr;
  void* const room =
      ::mmap(nullptr, size + kHuge, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED) return nullptr;
  auto* const begin = static_cast<std::byte*>(room);
  const std::size_t before = -reinterpret_cast<std::uintptr_t>(begin) % kHuge;
  if (before > 0) ::munmap(begin, before);
  if (before < kHuge) ::munmap(begin + before + size, kHuge - before);
  return begin + before;
}

}  // namespace

Result<std::span<std::byte>> map_dataset(Fd file, std::size_t size, DatasetAccess access) {
  if (auto checked = check(file.get(), size); !checked) return propagate(checked);
  if (size == 0) return std::span<std::byte>{};
  const auto page = static_cast<std::size_t>(::getpagesize());
  const std::size_t pages = (size + page - 1) & ~(page - 1);
  std::byte* const place = reserve(pages);
  if (place == nullptr) return fail_errno("find address space for the dataset");
  const int protection = access == DatasetAccess::read ? PROT_READ : PROT_READ | PROT_WRITE;
  // Not shared, though it is read only: kernels before 6.7 refuse shared mappings of what is sealed against
  // writing. Nothing is reserved for copies: there will be few, or none.
  if (::mmap(place, pages, protection, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, file.get(), 0) ==
      MAP_FAILED) {
    const int error = errno;
    ::munmap(place, pages);
    return fail_errno("map the dataset", error);
  }
  return std::span(place, size);
}

}  // namespace mayfly::bridge
