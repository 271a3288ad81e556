#include "awaitable.h"

#include <array>

namespace mayfly::python {
namespace {

/// An iterator that ends at once with its value, which is what an awaitable is to the interpreter. It has the
/// methods of a coroutine, since applications hand such things to asyncio.create_task().
struct Finished {
  PyObject ob_base;
  PyObject* value;
};

PyTypeObject* type = nullptr;
PyObject* without_value = nullptr;

Finished* cast(PyObject* self) { return reinterpret_cast<Finished*>(self); }

PyObject* self_again(PyObject* self) { return Py_NewRef(self); }

PySendResult send(PyObject* self, PyObject*, PyObject** result) {
  *result = Py_NewRef(cast(self)->value);
  return PYGEN_RETURN;
}

PyObject* next(PyObject* self) {
  if (cast(self)->value != Py_None) PyErr_SetObject(PyExc_StopIteration, cast(self)->value);
  return nullptr;  // without an exception: StopIteration(None)
}

PyObject* send_method(PyObject* self, PyObject*) {
  PyErr_SetObject(PyExc_StopIteration, cast(self)->value);
  return nullptr;
}

PyObject* throw_method(PyObject*, PyObject* arguments) {
  PyObject* kind = nullptr;
  PyObject* value = nullptr;
  PyObject* traceback = nullptr;
  if (!PyArg_ParseTuple(arguments, "O|OO", &kind, &value, &traceback)) return nullptr;
  if (PyExceptionInstance_Check(kind))
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(kind)), kind);
  else
    PyErr_SetObject(kind, value != nullptr ? value : Py_None);
  return nullptr;
}

PyObject* close_method(PyObject*, PyObject*) { return none(); }

void dealloc(PyObject* self) {
  PyTypeObject* own = Py_TYPE(self);
  Py_XDECREF(cast(self)->value);
  PyObject_Free(self);
  Py_DECREF(own);
}

PyMethodDef methods[] = {{"send", send_method, METH_O, nullptr},
                         {"throw", throw_method, METH_VARARGS, nullptr},
                         {"close", close_method, METH_NOARGS, nullptr},
                         {nullptr, nullptr, 0, nullptr}};

PyObject* make(PyObject* value) {
  auto* object = PyObject_New(Finished, type);
  if (object == nullptr) {
    Py_XDECREF(value);
    return nullptr;
  }
  object->value = value;
  return reinterpret_cast<PyObject*>(object);
}

}  // namespace

bool make_awaitables(PyObject*) {
  std::array slots{PyType_Slot{Py_am_await, reinterpret_cast<void*>(&self_again)},
                   PyType_Slot{Py_am_send, reinterpret_cast<void*>(&send)},
                   PyType_Slot{Py_tp_iter, reinterpret_cast<void*>(&self_again)},
                   PyType_Slot{Py_tp_iternext, reinterpret_cast<void*>(&next)},
                   PyType_Slot{Py_tp_methods, methods},
                   PyType_Slot{Py_tp_dealloc, reinterpret_cast<void*>(&dealloc)},
                   PyType_Slot{0, nullptr}};
  PyType_Spec spec{"mayfly_bridge.Finished", sizeof(Finished), 0,
                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots.data()};
  type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  if (type == nullptr) return false;
  without_value = make(none());
  return without_value != nullptr;
}

PyObject* finished(Ref value) { return value ? make(value.release()) : nullptr; }
PyObject* finished_none() { return Py_NewRef(without_value); }

}  // namespace mayfly::python
