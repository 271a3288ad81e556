#include "heap_limit.h"

#include <dlfcn.h>

namespace mayfly::node {
namespace {

/// v8::NearHeapLimitCallback (v8-callbacks.h): what the limit is to be instead.
using NearLimit = std::size_t (*)(void* data, std::size_t current, std::size_t initial);

std::size_t keep(void*, std::size_t current, std::size_t) { return current; }

template <class Function>
Function symbol(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_DEFAULT, name));
}

}  // namespace

bool limit_heap(std::size_t bytes) {
  // v8::Isolate: GetCurrent, AddNearHeapLimitCallback, RemoveNearHeapLimitCallback. Who takes a callback back
  // may say what the limit is from then on: that is all that is wanted.
  const auto current = symbol<void* (*)()>("_ZN2v87Isolate10GetCurrentEv");
  const auto add =
      symbol<void (*)(void*, NearLimit, void*)>("_ZN2v87Isolate24AddNearHeapLimitCallbackEPFmPvmmES1_");
  const auto remove = symbol<void (*)(void*, NearLimit, std::size_t)>(
      "_ZN2v87Isolate27RemoveNearHeapLimitCallbackEPFmPvmmEm");
  if (current == nullptr || add == nullptr || remove == nullptr) return false;
  void* isolate = current();
  add(isolate, keep, nullptr);
  remove(isolate, keep, bytes);
  return true;
}

}  // namespace mayfly::node
