#include "python.h"

namespace mayfly::python {

bool append_bytes(PyObject* value, std::string& out) {
  if (PyUnicode_Check(value)) {
    Py_ssize_t size = 0;
    if (const char* text = PyUnicode_AsUTF8AndSize(value, &size)) {
      out.append(text, static_cast<std::size_t>(size));
      return true;
    }
    PyErr_Clear();  // half a surrogate pair
    const Ref encoded(PyUnicode_AsEncodedString(value, "utf-8", "replace"));
    if (encoded) out.append(view(encoded.get()));
    return static_cast<bool>(encoded);
  }
  if (PyBytes_Check(value)) {
    out.append(view(value));
    return true;
  }
  Py_buffer buffer;
  if (PyObject_GetBuffer(value, &buffer, PyBUF_SIMPLE) != 0) return false;
  out.append(static_cast<const char*>(buffer.buf), static_cast<std::size_t>(buffer.len));
  PyBuffer_Release(&buffer);
  return true;
}

std::string told(PyObject* value) {
  std::string text;
  const Ref string(PyUnicode_Check(value) ? Py_NewRef(value) : PyObject_Str(value));
  if (!string || !append_bytes(string.get(), text)) PyErr_Clear();
  return text;
}

bool put(PyObject* dict, PyObject* key, Ref value) {
  return value && PyDict_SetItem(dict, key, value.get()) == 0;
}

const Names& names() {
  static const auto* all = new Names;
  return *all;
}

}  // namespace mayfly::python
