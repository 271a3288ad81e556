#include "dataset.h"

#include <dlfcn.h>

#include <memory>

#include "bridge/dataset.h"

namespace mayfly::node {
namespace {

struct Store;  // v8::BackingStore
struct Leave {
  void operator()(Store*) const {}  // it is there for as long as the process
};

template <class Function>
Function symbol(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_DEFAULT, name));
}

/// Before Node 22 Node-API makes no ArrayBuffers of more than 4 GiB (they are Buffers first), V8 does: three
/// functions of its own interface (v8-isolate.h, v8-array-buffer.h) are looked for by name. A v8::Local is a
/// pointer, and what Node-API calls a value. Null: this Node has not all of them.
napi_value large_array_buffer(std::span<std::byte> bytes) {
  using Keep = void (*)(void* data, std::size_t size, void* extra);
  const auto current = symbol<void* (*)()>("_ZN2v87Isolate10GetCurrentEv");
  const auto wrap = symbol<std::unique_ptr<Store, Leave> (*)(void*, std::size_t, Keep, void*)>(
      "_ZN2v811ArrayBuffer15NewBackingStoreEPvmPFvS1_mS1_ES1_");
  const auto make = symbol<napi_value (*)(void*, std::shared_ptr<Store>)>(
      "_ZN2v811ArrayBuffer3NewEPNS_7IsolateESt10shared_ptrINS_12BackingStoreEE");
  if (current == nullptr || wrap == nullptr || make == nullptr) return nullptr;
  auto store = wrap(bytes.data(), bytes.size(), [](void*, std::size_t, void*) {}, nullptr);
  return make(current(), std::shared_ptr<Store>(store.release(), Leave()));
}

napi_value array_buffer(napi_env env, std::span<std::byte> bytes) {
  napi_value buffer = nullptr;
  if (bytes.empty()) {
    napi_create_arraybuffer(env, 0, nullptr, &buffer);
    return buffer;
  }
  const auto keep = [](napi_env, void*, void*) {};
  if (napi_create_external_arraybuffer(env, bytes.data(), bytes.size(), keep, nullptr, &buffer) == napi_ok)
    return buffer;
  napi_value refusal = nullptr;
  napi_get_and_clear_last_exception(env, &refusal);
  return large_array_buffer(bytes);
}

}  // namespace

napi_value map_dataset(napi_env env, napi_callback_info info) {
  const Arguments<2> a(env, info);
  std::int64_t size = 0;
  napi_get_value_int64(env, a.values[1], &size);
  const auto bytes = bridge::map_dataset(Fd(static_cast<int>(a.number(0))), static_cast<std::size_t>(size),
                                         bridge::DatasetAccess::own_copy);
  napi_value buffer = bytes ? array_buffer(env, *bytes) : nullptr;
  if (buffer == nullptr)
    napi_throw_error(env, nullptr,
                     bytes ? "this Node has no ArrayBuffers of its size" : bytes.error().message.c_str());
  return buffer;
}

}  // namespace mayfly::node
