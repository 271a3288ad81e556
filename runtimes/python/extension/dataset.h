// A dataset as a memoryview.
#pragma once

#include "python.h"

namespace mayfly::python {

/// map_dataset(descriptor, size): maps a dataset's file and closes it (bridge/dataset.h); gives a read-only
/// memoryview of its bytes, which are there for as long as the process lives. OSError: it cannot be mapped.
PyObject* map_dataset(PyObject* module, PyObject* arguments);

}  // namespace mayfly::python
