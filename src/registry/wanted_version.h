// What a source says of the interpreter that it wants.
#pragma once

#include "registry/build_step.h"

namespace mayfly::registry {

/// A warning of the deploy where the function's interpreter is none of those that the source asks for:
/// engines.node of package.json, requires-python of pyproject.toml, .python-version (its minor version). What
/// cannot be read, or is written in a way that is not understood (version_range.h), is passed over.
void warn_of_interpreter(BuildContext& context);

}  // namespace mayfly::registry
