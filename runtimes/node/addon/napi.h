// Small helpers over Node-API (stable since Node 10; the addon uses version 8, so Node >= 18).
#pragma once

#define NAPI_VERSION 8
#include <node_api.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace mayfly::node {

/// The arguments of one call from JavaScript; missing ones are undefined.
template <std::size_t N>
struct Arguments {
  Arguments(napi_env e, napi_callback_info info) : env(e) {
    std::size_t count = N;
    napi_get_cb_info(env, info, &count, values.data(), nullptr, nullptr);
  }
  napi_env env;
  std::array<napi_value, N> values{};

  [[nodiscard]] std::uint32_t number(std::size_t i) const {
    std::uint32_t value = 0;
    napi_get_value_uint32(env, values[i], &value);
    return value;
  }
  [[nodiscard]] bool truth(std::size_t i) const {
    bool value = false;
    napi_get_value_bool(env, values[i], &value);
    return value;
  }
};

[[nodiscard]] inline napi_valuetype type_of(napi_env env, napi_value value) {
  napi_valuetype type = napi_undefined;
  napi_typeof(env, value, &type);
  return type;
}

using GetString = napi_status (*)(napi_env, napi_value, char*, std::size_t, std::size_t*);

/// Appends a JavaScript string to `out`. The guess saves asking for the length of short strings.
inline void append_string(napi_env env, napi_value value, std::string& out, GetString get) {
  constexpr std::size_t kGuess = 1024;
  const std::size_t before = out.size();
  std::size_t length = 0;
  const auto read = [&](char* text, std::size_t size) {
    if (get(env, value, text + before, size - before, &length) != napi_ok) length = 0;
    return before + length;
  };
  out.resize_and_overwrite(before + kGuess, read);  // leaves the room as it is: most of it is not used
  if (length + 4 < kGuess) return;
  // Perhaps cut (a character has up to 4 bytes, and there is a NUL).
  get(env, value, nullptr, 0, &length);
  out.resize_and_overwrite(before + length + 1, read);
}
inline void append_utf8(napi_env env, napi_value value, std::string& out) {
  append_string(env, value, out, napi_get_value_string_utf8);
}
inline void append_latin1(napi_env env, napi_value value, std::string& out) {
  append_string(env, value, out, napi_get_value_string_latin1);
}
[[nodiscard]] inline std::string utf8(napi_env env, napi_value value) {
  std::string text;
  if (type_of(env, value) == napi_string) append_utf8(env, value, text);
  return text;
}

/// The bytes of a Uint8Array (or Buffer); empty for anything else. Valid while the value lives.
[[nodiscard]] inline std::string_view bytes_of(napi_env env, napi_value value) {
  bool is = false;
  napi_is_typedarray(env, value, &is);
  if (!is) return {};
  napi_typedarray_type type{};
  std::size_t length = 0;
  void* data = nullptr;
  napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr);
  if (type != napi_uint8_array && type != napi_uint8_clamped_array) return {};
  return {static_cast<const char*>(data), length};
}

/// Appends a body: a string as UTF-8, or the bytes of a Uint8Array. Nothing else has bytes.
inline void append_body(napi_env env, napi_value value, std::string& out) {
  if (type_of(env, value) == napi_string)
    append_utf8(env, value, out);
  else
    out.append(bytes_of(env, value));
}

[[nodiscard]] inline napi_value latin1(napi_env env, std::string_view text) {
  napi_value value = nullptr;
  napi_create_string_latin1(env, text.data(), text.size(), &value);
  return value;
}
[[nodiscard]] inline napi_value number(napi_env env, std::uint32_t n) {
  napi_value value = nullptr;
  napi_create_uint32(env, n, &value);
  return value;
}
[[nodiscard]] inline napi_value undefined(napi_env env) {
  napi_value value = nullptr;
  napi_get_undefined(env, &value);
  return value;
}
[[nodiscard]] inline napi_value null(napi_env env) {
  napi_value value = nullptr;
  napi_get_null(env, &value);
  return value;
}

}  // namespace mayfly::node
