// The head of an answer as the wire has it ("name NUL value NUL …"), checked while it is put together.
#pragma once

#include <string>

#include "python.h"

namespace mayfly::python {

/// Appends one header; name and value are str or bytes (a value also anything with a str()). A str is Latin-1
/// where that is possible, else UTF-8. False, with a ValueError that names what is wrong with it.
[[nodiscard]] bool append_header(std::string& head, PyObject* name, PyObject* value);
/// Appends an iterable of pairs.
[[nodiscard]] bool append_headers(std::string& head, PyObject* pairs);
/// Is there one of this name (in lower case)?
[[nodiscard]] bool has_header(std::string_view head, std::string_view name);

}  // namespace mayfly::python
