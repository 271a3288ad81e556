// A request as an ASGI scope and as a WSGI environ.

#include <charconv>

#include "invocation.h"
#include "percent.h"

namespace mayfly::python {
namespace {

/// "127.0.0.1" and a port that nobody knows.
Ref client_of(std::string_view remote) {
  if (remote.empty()) return Ref(none());
  return Ref(Py_BuildValue("(Ni)", latin1(remote).release(), 0));
}

/// The name and port that a Host header tells; the scheme's own port if it has none.
std::pair<std::string_view, int> server_of(std::string_view host, std::string_view scheme) {
  int port = scheme == "https" ? 443 : 80;
  if (host.empty()) return {"localhost", port};
  const auto colon = host.rfind(':');
  if (colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos) {
    std::from_chars(host.data() + colon + 1, host.data() + host.size(), port);
    host = host.substr(0, colon);
  }
  return {host, port};
}

Ref header_list(std::string_view headers) {
  Ref list(PyList_New(0));
  bool good = static_cast<bool>(list);
  for_each_header(headers, [&](std::string_view name, std::string_view value) {
    Ref pair(PyTuple_New(2));
    if (!good || !pair) return void(good = false);
    PyTuple_SetItem(pair.get(), 0, bytes(name).release());
    PyTuple_SetItem(pair.get(), 1, bytes(value).release());
    good = PyList_Append(list.get(), pair.get()) == 0;
  });
  return good ? std::move(list) : Ref();
}

/// "HTTP_ACCEPT_LANGUAGE" for "accept-language"; empty for a name that is not to be passed on: one with an
/// underscore would be taken for another header.
std::string cgi_name(std::string_view name) {
  std::string result = "HTTP_";
  if (name == "content-type" || name == "content-length") result.clear();
  for (const char c : name) {
    if (c == '_') return {};
    result.push_back(c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
  }
  return result;
}

bool put_cgi_header(PyObject* environ, std::string_view name, std::string_view value) {
  const auto key_text = cgi_name(name);
  if (key_text.empty()) return true;
  const Ref key(latin1(key_text));
  if (!key) return false;
  PyObject* before = PyDict_GetItemWithError(environ, key.get());
  if (before == nullptr) return PyErr_Occurred() == nullptr && put(environ, key.get(), latin1(value));
  const Ref addition(latin1(std::string(name == "cookie" ? "; " : ",").append(value)));
  return addition && put(environ, key.get(), Ref(PyUnicode_Concat(before, addition.get())));
}

/// Where the function is mounted ("/NAME"), which the gateway has taken off the path; empty at a route.
std::string_view mounted_at(std::string_view headers) {
  return bridge::header_value(headers, "x-forwarded-prefix");
}

}  // namespace

/// As the specification has it since 2024, and as uvicorn does it, `path` begins with `root_path`.
Ref asgi_scope(const Invocation& invocation, PyObject* base) {
  const auto& n = names();
  const auto& head = invocation.head;
  const auto [path, query] = invocation.target();
  const auto [host, port] = server_of(bridge::header_value(head.headers, "host"), head.scheme);
  const auto root = mounted_at(head.headers);
  const auto whole = std::string(root).append(path);
  Ref scope(PyDict_Copy(base));
  PyObject* dict = scope.get();
  const bool good =
      scope && put(dict, n.method, latin1(head.method)) && put(dict, n.scheme, latin1(head.scheme)) &&
      put(dict, n.path, utf8(percent_decoded(whole, false))) && put(dict, n.raw_path, bytes(whole)) &&
      (root.empty() || put(dict, n.root_path, utf8(percent_decoded(root, false)))) &&
      put(dict, n.query_string, bytes(query)) && put(dict, n.headers, header_list(head.headers)) &&
      put(dict, n.client, client_of(head.remote)) &&
      put(dict, n.server, Ref(Py_BuildValue("(Ni)", latin1(host).release(), port)));
  if (!good) return {};
  if (PyObject* state = PyDict_GetItemWithError(dict, n.state))  // each request has its own copy
    if (!put(dict, n.state, Ref(PyDict_Copy(state)))) return {};
  return scope;
}

Ref wsgi_environ(const Invocation& invocation, PyObject* base) {
  const auto& n = names();
  const auto& head = invocation.head;
  const auto [path, query] = invocation.target();
  const auto [host, port] = server_of(bridge::header_value(head.headers, "host"), head.scheme);
  Ref environ(PyDict_Copy(base));
  PyObject* dict = environ.get();
  bool good = environ && put(dict, n.REQUEST_METHOD, latin1(head.method)) &&
              put(dict, n.SCRIPT_NAME, latin1(percent_decoded(mounted_at(head.headers), false))) &&
              put(dict, n.PATH_INFO, latin1(percent_decoded(path, false))) &&
              put(dict, n.QUERY_STRING, latin1(query)) &&
              put(dict, n.REQUEST_URI, latin1(std::string(mounted_at(head.headers)).append(head.target))) &&
              put(dict, n.SERVER_NAME, latin1(host)) &&
              put(dict, n.SERVER_PORT, latin1(std::to_string(port))) &&
              put(dict, n.REMOTE_ADDR, latin1(head.remote)) && put(dict, n.url_scheme, latin1(head.scheme));
  for_each_header(head.headers, [&](std::string_view name, std::string_view value) {
    good = good && put_cgi_header(dict, name, value);
  });
  return good ? std::move(environ) : Ref();
}

}  // namespace mayfly::python
