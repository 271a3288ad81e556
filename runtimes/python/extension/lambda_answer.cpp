// What a Lambda handler returned, as an HTTP answer (API Gateway's payload format 2.0, and the
// multiValueHeaders of format 1.0).

#include <algorithm>
#include <string>

#include "head.h"
#include "invocation.h"
#include "server.h"

namespace mayfly::python {
namespace {

constexpr std::string_view kJson("content-type\0application/json\0", 30);
constexpr std::string_view kStreamType = "application/octet-stream";
constexpr std::string_view kTextType = "text/plain;charset=utf-8";

/// Something that gives the body in parts.
bool is_iterator(PyObject* value) { return PyIter_Check(value) != 0 || PyAIter_Check(value) != 0; }

PyObject* item(PyObject* dict, PyObject* key) {
  PyObject* value = PyDict_GetItemWithError(dict, key);
  return value == Py_None ? nullptr : value;
}

/// The headers of one dict. A value may be a list of values. `without`: names (in lower case) to leave out.
bool append_dict(std::string& head, PyObject* dict, std::string_view without) {
  const Ref pairs(PyObject_CallMethodObjArgs(dict, names().items, nullptr));
  const Ref iterator(pairs ? PyObject_GetIter(pairs.get()) : nullptr);
  if (!iterator) return false;
  while (const Ref pair{PyIter_Next(iterator.get())}) {
    PyObject* name = PyTuple_GetItem(pair.get(), 0);
    PyObject* value = PyTuple_GetItem(pair.get(), 1);
    if (name == nullptr || value == nullptr) return false;
    if (value == Py_None) continue;
    const std::size_t before = head.size();
    if (PyList_Check(value) || PyTuple_Check(value)) {
      const Py_ssize_t count = PySequence_Size(value);
      for (Py_ssize_t i = 0; i < count; ++i) {
        const Ref one(PySequence_GetItem(value, i));
        if (!one || !append_header(head, name, one.get())) return false;
      }
    } else if (!append_header(head, name, value)) {
      return false;
    }
    const auto added = std::string_view(head).substr(before);
    if (!added.empty() && has_header(without, added.substr(0, added.find('\0')))) head.resize(before);
  }
  return PyErr_Occurred() == nullptr;
}

bool append_answer_head(std::string& head, PyObject* answer) {
  const auto& n = names();
  std::string several;
  if (PyObject* multi = item(answer, n.multiValueHeaders))
    if (!append_dict(several, multi, {})) return false;
  if (PyObject* headers = item(answer, n.headers))
    if (!append_dict(head, headers, several)) return false;
  head += several;
  PyObject* cookies = item(answer, n.cookies);
  const Ref iterator(cookies != nullptr ? PyObject_GetIter(cookies) : nullptr);
  if (cookies != nullptr && !iterator) return false;
  static PyObject* set_cookie = PyUnicode_InternFromString("set-cookie");
  while (iterator) {
    const Ref cookie(PyIter_Next(iterator.get()));
    if (!cookie) break;
    if (!append_header(head, set_cookie, cookie.get())) return false;
  }
  return PyErr_Occurred() == nullptr;
}

/// 0 with an exception if it is none.
unsigned status_of(PyObject* value) {
  const Ref number(PyUnicode_Check(value) ? PyNumber_Long(value) : PyNumber_Index(value));
  const long status = number ? PyLong_AsLong(number.get()) : -1;
  if (status >= 200 && status <= 599) return static_cast<unsigned>(status);
  PyErr_Clear();
  PyErr_Format(PyExc_TypeError, "The handler returned statusCode %R; it must be between 200 and 599", value);
  return 0;
}

bool append_json(Server& server, PyObject* value, std::string& out) {
  const Ref text(PyObject_CallFunctionObjArgs(server.hook(Hook::to_json), value, nullptr));
  return text && append_bytes(text.get(), out);
}

bool append_body(Server& server, PyObject* answer, PyObject* body, std::string& out) {
  if (!PyUnicode_Check(body) && !PyBytes_Check(body) && !PyByteArray_Check(body))
    return append_json(server, body, out);
  PyObject* encoded = item(answer, names().isBase64Encoded);
  if (!PyUnicode_Check(body) || encoded == nullptr || PyObject_IsTrue(encoded) != 1)
    return append_bytes(body, out);
  const Ref decoded(PyObject_CallFunctionObjArgs(server.hook(Hook::base64_decode), body, nullptr));
  return decoded && append_bytes(decoded.get(), out);
}

PyObject* start_stream(Invocation& invocation, unsigned status, std::string& head, std::string_view type,
                       PyObject* iterator) {
  if (!has_header(head, "content-type"))
    head.append("content-type").append(1, '\0').append(type).append(1, '\0');
  invocation.server.start(invocation, status, head);
  return Py_NewRef(iterator);
}

/// A dict with a statusCode.
PyObject* full_answer(Invocation& invocation, PyObject* answer, PyObject* status_code) {
  const unsigned status = status_of(status_code);
  std::string head;
  if (status == 0 || !append_answer_head(head, answer)) return nullptr;
  PyObject* body = item(answer, names().body);
  if (body != nullptr && is_iterator(body) && !invocation.bare(status))
    return start_stream(invocation, status, head, kStreamType, body);
  std::string content;
  if (body != nullptr && !append_body(invocation.server, answer, body, content)) return nullptr;
  if (body != nullptr && !has_header(head, "content-type"))
    head.append("content-type").append(1, '\0').append(kTextType).append(1, '\0');
  if (invocation.bare(status)) content.clear();
  invocation.server.respond(invocation, status, head, content, true);
  return none();
}

}  // namespace

PyObject* lambda_answer(PyObject* self, PyObject* result) {
  Invocation& invocation = invocation_of(self);
  if (!invocation.event && PyDict_Check(result)) {
    PyObject* status = item(result, names().statusCode);
    if (status != nullptr) {
      PyObject* answered = full_answer(invocation, result, status);
      invocation.answer_is_none = answered == nullptr;
      return answered;
    }
  }
  if (!PyDict_Check(result) && !PyUnicode_Check(result)) {
    if (PyObject_HasAttrString(result, "__await__") != 0) return Py_NewRef(result);
    if (is_iterator(result)) {
      std::string head;
      return start_stream(invocation, 200, head, kStreamType, result);
    }
  }
  std::string content;
  const bool as_it_is = PyUnicode_Check(result) && !invocation.event;
  if (as_it_is ? !append_bytes(result, content) : !append_json(invocation.server, result, content))
    return nullptr;
  if (invocation.bare(200)) content.clear();
  invocation.server.respond(invocation, 200, kJson, content, true);
  return none();
}

}  // namespace mayfly::python
