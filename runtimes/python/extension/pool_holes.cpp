#include "pool_holes.h"

#include <cstddef>
#include <cstdint>
#include <vector>

#include "python.h"

namespace mayfly::python {
namespace {

// CPython's Objects/obmalloc.c: size classes of 16 bytes, pools of 16 KiB that begin with a header of 48.
constexpr std::size_t kStep = 16;
constexpr std::size_t kLargest = 512;
constexpr std::uintptr_t kPool = 16U << 10U;
constexpr std::uintptr_t kHeader = 48;
constexpr std::size_t kMost = 8'000;  // blocks of a class

bool begins_pool(const void* block) {
  return (reinterpret_cast<std::uintptr_t>(block) & (kPool - 1)) == kHeader;
}

/// Keeps the free blocks of one class. False if a fresh pool was not met: then it keeps none, since the bound
/// was too low, or another allocator is in this one's place.
bool fill(std::size_t size, std::vector<void*>& taken) {
  taken.clear();
  while (taken.size() < kMost) {
    void* block = PyObject_Malloc(size);
    if (block == nullptr) break;
    taken.push_back(block);
    if (!begins_pool(block)) continue;
    // A pool that was empty gives its blocks in order.
    void* next = PyObject_Malloc(size);
    const bool fresh = static_cast<char*>(next) == static_cast<char*>(block) + size;
    PyObject_Free(next);
    if (!fresh) continue;
    PyObject_Free(block);
    return true;
  }
  for (void* block : taken) PyObject_Free(block);
  return false;
}

}  // namespace

void fill_pool_holes() {
  std::vector<void*> taken;
  taken.reserve(kMost);
  for (std::size_t size = kStep; size <= kLargest; size += kStep) (void)fill(size, taken);
}

}  // namespace mayfly::python
