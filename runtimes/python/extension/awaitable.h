// What `send` and `receive` give to an application that awaits them, when there is nothing to wait for: an
// awaitable that is done already. It costs no frame and no turn of the event loop.
#pragma once

#include "python.h"

namespace mayfly::python {

/// Once, when the module is made. False with an exception.
[[nodiscard]] bool make_awaitables(PyObject* module);
/// Awaiting it gives `value` (a reference is taken over; not a tuple).
[[nodiscard]] PyObject* finished(Ref value);
/// Awaiting it gives None. Always the same object.
[[nodiscard]] PyObject* finished_none();

}  // namespace mayfly::python
