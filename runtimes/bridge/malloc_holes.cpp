#include "bridge/malloc_holes.h"

#include <malloc.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace mayfly::bridge {
namespace {

constexpr std::size_t kLargest = 128U << 10U;  // larger blocks are mappings of their own
constexpr std::size_t kSmallest = 24;
constexpr int kMost = 200'000;  // blocks: a bound, should an allocator never give from its end

}  // namespace

void fill_malloc_holes() {
#ifdef __GLIBC__
  const auto heap_end = reinterpret_cast<std::uintptr_t>(::sbrk(0));
  const auto top = heap_end - ::mallinfo2().keepcost;
  int taken = 0;
  for (std::size_t size = kLargest; size >= kSmallest; size -= size / 16 + 8) {
    while (taken < kMost) {
      void* block = std::malloc(size);
      if (block == nullptr) return;
      const auto at = reinterpret_cast<std::uintptr_t>(block);
      if (at >= top) {  // from the end, or a mapping: there is no hole of this size any more
        std::free(block);
        break;
      }
      ++taken;
    }
  }
#endif
}

}  // namespace mayfly::bridge
