// CPython's limited API (PEP 384), so that one build serves every CPython from 3.11 on, and the few helpers
// that make it bearable in C++.
#pragma once

#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string>
#include <string_view>
#include <utility>

namespace mayfly::python {

/// One owned reference, or none. Needs the GIL wherever it is copied or destroyed.
class Ref {
 public:
  Ref() = default;
  /// Takes over a new reference; null stays null (an exception is set then).
  explicit Ref(PyObject* owned) : object_(owned) {}
  static Ref to(PyObject* borrowed) {
    Py_XINCREF(borrowed);
    return Ref(borrowed);
  }
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  Ref(const Ref&) = delete;
  Ref& operator=(const Ref&) = delete;
  ~Ref() { Py_XDECREF(object_); }

  [[nodiscard]] PyObject* get() const { return object_; }
  [[nodiscard]] PyObject* release() { return std::exchange(object_, nullptr); }
  /// The old object goes last: its end may run code that looks here.
  void reset(PyObject* owned = nullptr) { Py_XDECREF(std::exchange(object_, owned)); }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  PyObject* object_ = nullptr;
};

[[nodiscard]] inline PyObject* none() { return Py_NewRef(Py_None); }
[[nodiscard]] inline PyObject* boolean(bool value) { return Py_NewRef(value ? Py_True : Py_False); }

[[nodiscard]] inline Ref bytes(std::string_view text) {
  return Ref(PyBytes_FromStringAndSize(text.data(), static_cast<Py_ssize_t>(text.size())));
}
/// Header values and the like, where every byte is a character.
[[nodiscard]] inline Ref latin1(std::string_view text) {
  return Ref(PyUnicode_DecodeLatin1(text.data(), static_cast<Py_ssize_t>(text.size()), nullptr));
}
/// What is not UTF-8 becomes U+FFFD.
[[nodiscard]] inline Ref utf8(std::string_view text) {
  return Ref(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace"));
}

/// The bytes of a `bytes` object, which must be one. Valid while it lives.
[[nodiscard]] inline std::string_view view(PyObject* bytes_object) {
  return {PyBytes_AsString(bytes_object), static_cast<std::size_t>(PyBytes_Size(bytes_object))};
}

/// Appends a str as UTF-8 (half surrogate pairs as '?') or any object with a buffer as its bytes. False, with
/// an exception, for everything else.
[[nodiscard]] bool append_bytes(PyObject* value, std::string& out);
/// A str as UTF-8; what else it is, its str(). Clears exceptions: what cannot be told is empty.
[[nodiscard]] std::string told(PyObject* value);
/// dict[key] = value, whose reference is taken over. False, with an exception, when that failed.
[[nodiscard]] bool put(PyObject* dict, PyObject* key, Ref value);

/// The strings that dictionaries of every request have as keys, or values, made once and interned.
struct Names {
  // clang-format off
#define MAYFLY_NAMES(X)                                                                                     \
  X(type)                                                                                                   \
  X(asgi)                                                                                                   \
  X(http_version)                                                                                           \
  X(method)                                                                                                 \
  X(scheme)                                                                                                 \
  X(path) X(raw_path) X(query_string) X(root_path) X(headers) X(client) X(server) X(state) X(extensions)    \
      X(http) X(status) X(body) X(more_body) X(version) X(routeKey) X(rawPath) X(rawQueryString) X(cookies) \
          X(queryStringParameters) X(pathParameters) X(requestContext) X(isBase64Encoded) X(accountId) X(apiId) X(domainName) \
              X(domainPrefix) X(protocol) X(sourceIp) X(userAgent) X(requestId) X(stage) X(time)            \
                  X(timeEpoch) X(statusCode) X(multiValueHeaders) X(anonymous) X(mayfly) X(localhost)       \
                      X(REQUEST_METHOD) X(SCRIPT_NAME) X(PATH_INFO) X(QUERY_STRING) X(SERVER_NAME) X(SERVER_PORT)          \
                          X(REMOTE_ADDR) X(CONTENT_TYPE) X(CONTENT_LENGTH) X(REQUEST_URI) X(items)          \
                              X(spec_version)
// clang-format on
#define MAYFLY_DECLARE(name) PyObject* name = PyUnicode_InternFromString(#name);
  MAYFLY_NAMES(MAYFLY_DECLARE)
#undef MAYFLY_DECLARE
  PyObject* http_request = PyUnicode_InternFromString("http.request");
  PyObject* http_disconnect = PyUnicode_InternFromString("http.disconnect");
  PyObject* default_route = PyUnicode_InternFromString("$default");
  PyObject* http_1_1 = PyUnicode_InternFromString("HTTP/1.1");
  PyObject* one_dot_one = PyUnicode_InternFromString("1.1");
  PyObject* two_dot_oh = PyUnicode_InternFromString("2.0");
  PyObject* url_scheme = PyUnicode_InternFromString("wsgi.url_scheme");
  PyObject* empty = PyUnicode_InternFromString("");
};
/// Made at the first use, with the GIL held; never destroyed.
[[nodiscard]] const Names& names();

}  // namespace mayfly::python
