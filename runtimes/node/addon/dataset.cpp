#include "dataset.h"

#include "bridge/dataset.h"

namespace mayfly::node {

napi_value map_dataset(napi_env env, napi_callback_info info) {
  const Arguments<2> a(env, info);
  std::int64_t size = 0;
  napi_get_value_int64(env, a.values[1], &size);
  const auto bytes = bridge::map_dataset(Fd(static_cast<int>(a.number(0))), static_cast<std::size_t>(size),
                                         bridge::DatasetAccess::own_copy);
  if (!bytes) {
    napi_throw_error(env, nullptr, bytes.error().message.c_str());
    return nullptr;
  }
  napi_value buffer = nullptr;
  if (bytes->empty()) {
    napi_create_arraybuffer(env, 0, nullptr, &buffer);
    return buffer;
  }
  const auto keep = [](napi_env, void*, void*) {};
  if (napi_create_external_arraybuffer(env, bytes->data(), bytes->size(), keep, nullptr, &buffer) !=
      napi_ok) {
    napi_value refusal = nullptr;
    napi_get_and_clear_last_exception(env, &refusal);
    napi_throw_error(env, nullptr, "this Node has no ArrayBuffers of its size");  // 4 GiB before Node 22
    return nullptr;
  }
  return buffer;
}

}  // namespace mayfly::node
