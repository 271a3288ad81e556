#include "pool_holes.h"

#include <cstddef>
#include <cstdint>

#include "python.h"

namespace mayfly::python {
namespace {

// CPython's Objects/obmalloc.c: size classes of 16 bytes, pools of 16 KiB that begin with a header of 48.
constexpr std::size_t kStep = 16;
constexpr std::size_t kLargest = 512;
constexpr std::uintptr_t kPool = 16U << 10U;
constexpr std::uintptr_t kHeader = 48;
constexpr int kMost = 20'000;  // blocks of a class: a bound, should another allocator be in its place

bool begins_pool(const void* block) {
  return (reinterpret_cast<std::uintptr_t>(block) & (kPool - 1)) == kHeader;
}

}  // namespace

void fill_pool_holes() {
  for (std::size_t size = kStep; size <= kLargest; size += kStep) {
    for (int taken = 0; taken < kMost; ++taken) {
      void* block = PyObject_Malloc(size);
      if (block == nullptr) return;
      if (!begins_pool(block)) continue;
      // A pool that was empty gives its blocks in order.
      void* next = PyObject_Malloc(size);
      const bool fresh = static_cast<char*>(next) == static_cast<char*>(block) + size;
      if (!fresh) continue;
      PyObject_Free(next);
      PyObject_Free(block);
      break;
    }
  }
}

}  // namespace mayfly::python
