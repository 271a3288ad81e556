#include "dataset.h"

#include "bridge/dataset.h"

namespace mayfly::python {

PyObject* map_dataset(PyObject*, PyObject* arguments) {
  int descriptor = -1;
  Py_ssize_t size = 0;
  if (!PyArg_ParseTuple(arguments, "in", &descriptor, &size)) return nullptr;
  const auto bytes =
      bridge::map_dataset(Fd(descriptor), static_cast<std::size_t>(size), bridge::DatasetAccess::read);
  if (!bytes) {
    PyErr_SetString(PyExc_OSError, bytes.error().message.c_str());
    return nullptr;
  }
  static char nothing = 0;  // a view of no bytes wants an address still
  char* const begin = bytes->empty() ? &nothing : reinterpret_cast<char*>(bytes->data());
  return PyMemoryView_FromMemory(begin, static_cast<Py_ssize_t>(bytes->size()), PyBUF_READ);
}

}  // namespace mayfly::python
