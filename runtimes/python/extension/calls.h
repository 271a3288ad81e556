// Calls of functions, as Python's calls.py makes them and hears of them.
#pragma once

#include <string_view>

#include "python.h"

namespace mayfly::python {

class Server;

/// arguments: (stream, kind, name, method, target, header pairs, body, last, event). Gives the call's number.
/// Null with a ValueError when there cannot be one.
[[nodiscard]] PyObject* begin_call(Server& server, PyObject* arguments);
/// Headers in the form of the wire as a list of pairs of str.
[[nodiscard]] Ref header_pairs(std::string_view headers);

}  // namespace mayfly::python
