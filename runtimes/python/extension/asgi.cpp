// The two callables of an ASGI application, `receive` and `send`. What needs no waiting is done here at once;
// the rest is a coroutine of Python's (Hook::receive_later, Hook::send_later).
// https://asgi.readthedocs.io/en/latest/specs/www.html

#include "awaitable.h"
#include "head.h"
#include "invocation.h"
#include "server.h"

namespace mayfly::python {
namespace {

PyObject* fail(PyObject* kind, const char* what) {
  PyErr_SetString(kind, what);
  return nullptr;
}

Ref message(PyObject* type) {
  Ref dict(PyDict_New());
  if (!dict || PyDict_SetItem(dict.get(), names().type, type) != 0) return {};
  return dict;
}

/// The next message, null without an exception if there is none yet.
Ref next_message(Invocation& invocation) {
  const auto& n = names();
  if (invocation.aborted != wire::AbortReason{} || invocation.done || invocation.complete)
    return message(n.http_disconnect);
  if (invocation.end_told || (!invocation.has_part() && invocation.more)) return {};
  Ref part = invocation.has_part() ? invocation.take_part() : bytes({});
  const bool more = invocation.more || invocation.has_part();
  invocation.end_told = !more;
  Ref request = message(n.http_request);
  if (!request || !put(request.get(), n.body, std::move(part)) ||
      !put(request.get(), n.more_body, Ref(boolean(more))))
    return {};
  return request;
}

PyObject* start(Invocation& invocation, PyObject* message) {
  if (invocation.status != 0)
    return fail(PyExc_RuntimeError, "http.response.start was sent twice for one request");
  PyObject* status = PyDict_GetItemWithError(message, names().status);
  const long number = status != nullptr ? PyLong_AsLong(status) : -1;
  if (number < 100 || number > 599) {
    PyErr_Clear();
    PyErr_Format(PyExc_ValueError, "http.response.start has the status %R",
                 status != nullptr ? status : Py_None);
    return nullptr;
  }
  invocation.answer_head.clear();
  PyObject* headers = PyDict_GetItemWithError(message, names().headers);
  if (headers != nullptr && !append_headers(invocation.answer_head, headers)) return nullptr;
  invocation.status = static_cast<unsigned>(number);
  return finished_none();
}

/// A part of a body that did not come in one piece.
PyObject* part(PyObject* self, Invocation& invocation, std::string_view chunk, bool more) {
  Server& server = invocation.server;
  if (!invocation.head_sent) server.start(invocation, invocation.status, invocation.answer_head);
  if (!chunk.empty() && !invocation.bare(invocation.status)) server.write(invocation, chunk);
  if (!more) server.end(invocation);
  if (more && invocation.full)
    return PyObject_CallFunctionObjArgs(server.hook(Hook::send_later), self, nullptr);
  return finished_none();
}

PyObject* body(PyObject* self, Invocation& invocation, PyObject* message) {
  if (invocation.status == 0)
    return fail(PyExc_RuntimeError, "http.response.body was sent before http.response.start");
  if (invocation.complete) return fail(PyExc_RuntimeError, "http.response.body was sent after the last one");
  PyObject* more_body = PyDict_GetItemWithError(message, names().more_body);
  const bool more = more_body != nullptr && PyObject_IsTrue(more_body) == 1;
  PyObject* content = PyDict_GetItemWithError(message, names().body);
  std::string copy;  // of what is not bytes
  std::string_view chunk;
  if (content != nullptr && PyBytes_Check(content)) {
    chunk = view(content);
  } else if (content != nullptr && content != Py_None) {
    if (PyUnicode_Check(content))
      return fail(PyExc_TypeError, "the body of http.response.body must be bytes, not str");
    if (!append_bytes(content, copy)) return nullptr;
    chunk = copy;
  }
  if (more || invocation.head_sent) return part(self, invocation, chunk, more);
  if (invocation.bare(invocation.status)) chunk = {};
  invocation.server.respond(invocation, invocation.status, invocation.answer_head, chunk, false);
  return finished_none();
}

}  // namespace

PyObject* asgi_take(PyObject* self, PyObject*) {
  Ref message = next_message(invocation_of(self));
  if (message) return message.release();
  return PyErr_Occurred() != nullptr ? nullptr : none();
}

PyObject* asgi_receive(PyObject* self, PyObject*) {
  Invocation& invocation = invocation_of(self);
  Ref message = next_message(invocation);
  if (message) return finished(std::move(message));
  if (PyErr_Occurred() != nullptr) return nullptr;
  return PyObject_CallFunctionObjArgs(invocation.server.hook(Hook::receive_later), self, nullptr);
}

PyObject* asgi_send(PyObject* self, PyObject* message) {
  Invocation& invocation = invocation_of(self);
  if (!PyDict_Check(message)) return fail(PyExc_TypeError, "send() takes a dict");
  PyObject* type = PyDict_GetItemWithError(message, names().type);
  if (type == nullptr || !PyUnicode_Check(type)) return fail(PyExc_ValueError, "the message has no type");
  if (invocation.aborted != wire::AbortReason{}) return fail(PyExc_OSError, "the client has left");
  if (PyUnicode_CompareWithASCIIString(type, "http.response.body") == 0)
    return body(self, invocation, message);
  if (PyUnicode_CompareWithASCIIString(type, "http.response.start") == 0) return start(invocation, message);
  PyErr_Format(PyExc_RuntimeError, "the message type %R is not known here", type);
  return nullptr;
}

}  // namespace mayfly::python
