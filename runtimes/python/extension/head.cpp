#include "head.h"

#include <algorithm>
#include <array>

#include "bridge/connection.h"

namespace mayfly::python {
namespace {

/// What a character of a name becomes; 0: it may not be in one (RFC 9110, section 5.1).
constexpr auto kNameCharacters = [] {
  std::array<char, 256> table{};
  for (const char c : std::string_view("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"))
    table[static_cast<unsigned char>(c)] = c;
  for (char c = 'A'; c <= 'Z'; ++c) table[static_cast<unsigned char>(c)] = static_cast<char>(c - 'A' + 'a');
  return table;
}();

bool is_value_character(char c) { return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f); }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

bool append_text(PyObject* value, std::string& out) {
  if (PyBytes_Check(value)) {
    out.append(view(value));
    return true;
  }
  const Ref text(PyUnicode_Check(value) ? Py_NewRef(value) : PyObject_Str(value));
  if (!text) return false;
  const Ref encoded(PyUnicode_AsLatin1String(text.get()));
  if (encoded) {
    out.append(view(encoded.get()));
    return true;
  }
  PyErr_Clear();
  return append_bytes(text.get(), out);
}

bool invalid(const char* what, PyObject* value) {
  PyErr_Format(PyExc_ValueError, "%R is an invalid header %s", value, what);
  return false;
}

}  // namespace

bool append_header(std::string& head, PyObject* name, PyObject* value) {
  const std::size_t name_at = head.size();
  if (!PyUnicode_Check(name) && !PyBytes_Check(name)) return invalid("name", name);
  if (!append_text(name, head)) return false;
  for (std::size_t i = name_at; i < head.size(); ++i) {
    head[i] = kNameCharacters[static_cast<unsigned char>(head[i])];
    if (head[i] == '\0') return invalid("name", name);
  }
  if (head.size() == name_at) return invalid("name", name);
  head.push_back('\0');
  const std::size_t value_at = head.size();
  if (!append_text(value, head)) return false;
  while (head.size() > value_at && is_space(head.back())) head.pop_back();
  std::size_t leading = 0;
  while (value_at + leading < head.size() && is_space(head[value_at + leading])) ++leading;
  head.erase(value_at, leading);
  for (std::size_t i = value_at; i < head.size(); ++i)
    if (!is_value_character(head[i])) return invalid("value", value);
  head.push_back('\0');
  return true;
}

bool append_headers(std::string& head, PyObject* pairs) {
  const Ref iterator(PyObject_GetIter(pairs));
  if (!iterator) return false;
  while (const Ref pair{PyIter_Next(iterator.get())}) {
    if (PyTuple_Check(pair.get()) && PyTuple_Size(pair.get()) == 2) {
      if (!append_header(head, PyTuple_GetItem(pair.get(), 0), PyTuple_GetItem(pair.get(), 1))) return false;
      continue;
    }
    const Ref name(PySequence_GetItem(pair.get(), 0));
    const Ref value(name ? PySequence_GetItem(pair.get(), 1) : nullptr);
    if (!value || !append_header(head, name.get(), value.get())) return false;
  }
  return PyErr_Occurred() == nullptr;
}

bool has_header(std::string_view head, std::string_view name) {
  while (!head.empty()) {
    const auto name_end = head.find('\0');
    if (head.substr(0, name_end) == name) return true;
    head.remove_prefix(head.find('\0', name_end + 1) + 1);
  }
  return false;
}

}  // namespace mayfly::python
