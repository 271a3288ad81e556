// The hooks of Python's own modules around forks: in full, or as little as an instance needs
// (py/_mayfly/forks.py).
#pragma once

#include "python.h"

namespace mayfly::python {

/// keep_hooks(before, in_child, needed, thread): functions without arguments, in two tuples those of Python's
/// own modules, and in a list what an instance needs of them; and the attributes of the main thread, of which
/// its number is one. Before and after a fork before_fork() and after_fork() call the tuples', after a lean
/// one the list's alone.
PyObject* keep_hooks(PyObject*, PyObject* arguments);
PyObject* before_fork(PyObject*, PyObject*);
PyObject* after_fork(PyObject*, PyObject*);

/// The next fork is a lean one: until its child has run its hooks.
void fork_leanly();

}  // namespace mayfly::python
