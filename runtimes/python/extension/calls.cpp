// What Python hears of its calls: on_call(call, what, …), where `what` is 0 for the head of an answer
// (status, pairs, bytes, last), 1 for a part of its body (bytes, last), 2 when more of the request's body may
// be sent, and 3 when there is no answer (status, type, message, details as text with NULs).
#include "calls.h"

#include "head.h"
#include "server.h"

namespace mayfly::python {
namespace {

void tell(const Server& server, Ref arguments) {
  const Ref result(arguments ? PyObject_CallObject(server.hook(Hook::on_call), arguments.get()) : nullptr);
  if (!result) PyErr_WriteUnraisable(nullptr);
}

PyObject* object_of(std::string_view text) { return bytes(text).release(); }

}  // namespace

Ref header_pairs(std::string_view headers) {
  Ref list(PyList_New(0));
  while (list && !headers.empty()) {
    const auto name = headers.substr(0, headers.find('\0'));
    headers.remove_prefix(std::min(headers.size(), name.size() + 1));
    const auto value = headers.substr(0, headers.find('\0'));
    headers.remove_prefix(std::min(headers.size(), value.size() + 1));
    const Ref pair(Py_BuildValue("(NN)", latin1(name).release(), latin1(value).release()));
    if (!pair || PyList_Append(list.get(), pair.get()) != 0) return {};
  }
  return list;
}

PyObject* begin_call(Server& server, PyObject* arguments) {
  unsigned stream = 0;
  unsigned kind = 0;
  const char* name = nullptr;
  const char* method = nullptr;
  const char* target = nullptr;
  PyObject* pairs = nullptr;
  PyObject* content = nullptr;
  int last = 0;
  int event = 0;
  if (!PyArg_ParseTuple(arguments, "IIsssOOpp", &stream, &kind, &name, &method, &target, &pairs, &content,
                        &last, &event))
    return nullptr;
  std::string headers;
  std::string text;
  if (!append_headers(headers, pairs) || !append_bytes(content, text)) return nullptr;
  const wire::CallHead head{static_cast<wire::CallKind>(kind), stream, name, method, target, headers};
  const auto opened = server.connection().calls().open(head, event != 0, text, last != 0);
  if (opened.call != 0) return PyLong_FromUnsignedLong(opened.call);
  PyErr_SetString(PyExc_ValueError, std::string(opened.problem).c_str());
  return nullptr;
}

void Server::on_call_response(std::uint32_t call, std::uint32_t status, std::string_view headers,
                              std::string_view body, bool last) {
  tell(*this, Ref(Py_BuildValue("(IiINNN)", call, 0, status, header_pairs(headers).release(), object_of(body),
                                boolean(last))));
}

void Server::on_call_body(std::uint32_t call, std::string_view chunk, bool last) {
  tell(*this, Ref(Py_BuildValue("(IiNN)", call, 1, object_of(chunk), boolean(last))));
}

void Server::on_call_writable(std::uint32_t call) { tell(*this, Ref(Py_BuildValue("(Ii)", call, 2))); }

void Server::on_call_error(std::uint32_t call, std::uint32_t status, const wire::CallError& error) {
  tell(*this, Ref(Py_BuildValue("(IiINNN)", call, 3, status, utf8(error.type).release(),
                                utf8(error.message).release(), utf8(error.details).release())));
}

}  // namespace mayfly::python
