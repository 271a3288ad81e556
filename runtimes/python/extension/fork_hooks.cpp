#include "fork_hooks.h"

#include <sys/syscall.h>
#include <unistd.h>

namespace mayfly::python {
namespace {

struct Hooks {
  PyObject* before = nullptr;  // never destroyed, as nothing of a process that leaves by _exit
  PyObject* in_child = nullptr;
  PyObject* needed = nullptr;
  PyObject* thread = nullptr;  // a dict
  PyObject* thread_number = nullptr;
  bool lean = false;
};

Hooks& hooks() {
  static Hooks all;
  return all;
}

/// As CPython does: one that raises is told, and the others run. `last_first` as for what is done before a
/// fork.
void call_all(PyObject* functions, bool last_first) {
  const Py_ssize_t count = functions != nullptr ? PySequence_Size(functions) : 0;
  for (Py_ssize_t i = 0; i < count; ++i) {
    const Ref function(PySequence_GetItem(functions, last_first ? count - 1 - i : i));
    const Ref result(PyObject_CallNoArgs(function.get()));
    if (!result) PyErr_WriteUnraisable(function.get());
  }
}

void renew_thread_number(const Hooks& all) {
  const Ref number(PyLong_FromLong(::syscall(SYS_gettid)));
  if (!number || PyDict_SetItem(all.thread, all.thread_number, number.get()) != 0)
    PyErr_WriteUnraisable(nullptr);
}

}  // namespace

PyObject* keep_hooks(PyObject*, PyObject* arguments) {
  auto& all = hooks();
  if (!PyArg_ParseTuple(arguments, "O!O!O!O!", &PyTuple_Type, &all.before, &PyTuple_Type, &all.in_child,
                        &PyList_Type, &all.needed, &PyDict_Type, &all.thread))
    return nullptr;
  for (PyObject* kept : {all.before, all.in_child, all.needed, all.thread}) Py_INCREF(kept);
  all.thread_number = PyUnicode_InternFromString("_native_id");
  if (all.thread_number == nullptr) return nullptr;
  return none();
}

PyObject* before_fork(PyObject*, PyObject*) {
  if (!hooks().lean) call_all(hooks().before, true);
  return none();
}

PyObject* after_fork(PyObject*, PyObject*) {
  auto& all = hooks();
  if (all.lean) renew_thread_number(all);
  call_all(all.lean ? all.needed : all.in_child, false);
  all.lean = false;
  return none();
}

void fork_leanly() { hooks().lean = true; }

}  // namespace mayfly::python
